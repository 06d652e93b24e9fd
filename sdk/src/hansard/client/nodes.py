"""Nodes: machines that execute runs, and the tokens by which they join."""

from datetime import datetime, timedelta
from typing import Any

from hansard.client.effect import Flow
from hansard.client.operation import Bound, S, operation
from hansard.client.people import told_once
from hansard.client.people_results import IssuedToken
from hansard.client.results import Result

HOUR = timedelta(hours=1)


class Node(Result):
    """A node as it last told of itself; one that is not `present` was silent for a while.

    `attempts` is the number of run attempts that are alive on it.
    """

    name: str
    cpus: int
    gpus: int
    memory_mb: int
    labels: dict[str, str]
    facts: dict[str, Any]
    attempts: int
    present: bool
    heard_at: datetime


class Nodes(Bound[S]):
    """The nodes of the platform."""

    @operation
    def list(self) -> Flow[tuple[Node, ...]]:
        """All nodes ever heard of that the caller may see, by name."""
        answer = yield from self._session.get("/v1/nodes")
        return tuple(Node.model_validate(node) for node in answer["items"])

    @operation
    def issue_token(self, *, label: str = "", expires_in: timedelta = HOUR) -> Flow[IssuedToken]:
        """A token by which machines can join, and nothing else. Raises Forbidden."""
        body = {"label": label, "expires_in_s": int(expires_in.total_seconds())}
        answer = yield from self._session.write("POST", "/v1/nodes/tokens", body, key=True)
        return IssuedToken.model_validate(told_once(answer, "token"))
