"""Who calls: bearer tokens of users and of run attempts, checked against the record."""

import time
from dataclasses import dataclass
from typing import Any

from domain.aggregate import Context
from domain.errors import Forbidden
from domain.run import Run
from domain.user import Token, User
from infra.event_store import EventStore, Session
from infra.secret_digest import Bearer, read_bearer

_REMEMBERED_S = 2.0
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Subject:
    """A caller: a user with attributes, or an attempt of a run with the rights of that run only."""

    id: str
    attributes: dict[str, Any]
    run: str | None = None

    def require_user(self) -> None:
        """Raise Forbidden for the token of a run."""
        if self.run is not None:
            raise Forbidden("the token of a run opens its inputs and results only")

    def require_admin(self) -> None:
        """Raise Forbidden unless the user's attributes say admin."""
        self.require_user()
        if self.attributes.get("admin") is not True:
            raise Forbidden("only administrators may do this")


class Authenticator:
    """Finds the subject of a token. What it finds is remembered for two seconds."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._remembered: dict[str, tuple[float, Subject]] = {}

    async def subject(self, token: str, context: Context) -> Subject | None:
        """The caller that a token speaks for, or None."""
        now = time.monotonic()
        known = self._remembered.get(token)
        if known and known[0] > now:
            return known[1]
        bearer = read_bearer(token)
        if bearer is None:
            return None
        find = self._user if bearer.kind == "token" else self._run
        subject = await self._store.run(context, lambda session: find(session, bearer))
        if subject is not None:
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[token] = (now + _REMEMBERED_S, subject)
        return subject

    async def _user(self, session: Session, bearer: Bearer) -> Subject | None:
        token = await session.find(Token, bearer.id)
        if token is None or token.revoked or not bearer.matches(token.digest):
            return None
        user = await session.find(User, token.user)
        if user is None or not user.enabled:
            return None
        return Subject(user.id, user.attributes)

    async def _run(self, session: Session, bearer: Bearer) -> Subject | None:
        """The token of the present attempt, until the run has ended."""
        run = await session.find(Run, bearer.id)
        if run is None or run.ended or run.token_digest is None:
            return None
        if not bearer.matches(run.token_digest):
            return None
        return Subject(run.id, {}, run=run.id)
