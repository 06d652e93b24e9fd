"""Requests of people who have no token yet: from where, when, and under which request id."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request

from domain.aggregate import Context


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, whoever makes it."""

    address: str
    request: str
    time: datetime

    def context(self, actor: str) -> Context:
        """The context of a command, once it is known who commands."""
        return Context(actor, self.time, self.request)


async def visit(request: Request) -> Visit:
    """The present request."""
    address = request.client.host if request.client is not None else "unknown"
    return Visit(address, request.state.request_id, datetime.now(UTC))


VisitOf = Annotated[Visit, Depends(visit)]
