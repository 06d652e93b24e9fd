"""Asking the leading dispatcher how it sees the queue: it alone knows all that decides."""

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
        try:
            answer: Msg = await self._client.request(SUBJECT, orjson.dumps(runs), _PATIENCE_S)
        except (nats.errors.NoRespondersError, nats.errors.TimeoutError) as error:
            raise LogUnavailable("no dispatcher leads at the moment; try again") from error
        found: dict[str, Any] = orjson.loads(answer.data)
        return found
