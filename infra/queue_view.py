"""Asking the leading dispatcher how it sees the queue: it alone knows all that decides."""

from collections.abc import Sequence
from typing import Any

import nats.errors
import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg

from infra.event_log.errors import LogUnavailable

SUBJECT = "queue.ask"
_PATIENCE_S = 10.0


class QueueView:
    """The asking side."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def ask(self, runs: list[str]) -> dict[str, Any]:
        """`waits` by run: {position, reason, starts_at}; `nodes` by name: what is used of each.

        Raises LogUnavailable when no dispatcher leads.
        """
        return await self._asked({"runs": runs})

    async def foresee(self, asked: Sequence[dict[str, Any]]) -> list[dict[str, Any]] | None:
        """What runs would wait for if they were asked for together now, in their order.

        They are {run, resources, account, user, pool, priority}; answered is {pool, position,
        reason, starts_at}. None where too many ask. Raises LogUnavailable when no dispatcher leads.
        """
        found: list[dict[str, Any]] | None = (await self._asked({"new": list(asked)}))["new"]
        return found

    async def _asked(self, question: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: Msg = await self._client.request(SUBJECT, orjson.dumps(question), _PATIENCE_S)
        except (nats.errors.NoRespondersError, nats.errors.TimeoutError) as error:
            raise LogUnavailable("no dispatcher leads at the moment; try again") from error
        found: dict[str, Any] = orjson.loads(answer.data)
        return found
