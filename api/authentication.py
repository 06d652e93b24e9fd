"""Who calls: bearer tokens of users and of run attempts, checked against the record.

What is found is remembered until the record says that it has changed.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.aggregate import Context
from domain.errors import Forbidden
from domain.run import Run
from domain.token import Token
from domain.user import User
from infra.event_store import EventStore, Session
from infra.secret_digest import Bearer, read_bearer
from projections.access.changes import Changes
from projections.access.facts import subject_values

_RUN_REMEMBERED_S = 2.0
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Subject:
    """A caller: a user with attributes, or an attempt of a run with the rights of that run only."""

    id: str
    values: dict[str, Any]
    scopes: frozenset[str] = frozenset()
    run: str | None = None
    token: str | None = None
    expires_at: datetime | None = None

    def require_user(self) -> None:
        """Raise Forbidden for the token of a run."""
        if self.run is not None:
            raise Forbidden("the token of a run opens its inputs and results only")

    def require_scope(self, scope: str) -> None:
        """Raise Forbidden unless the token reaches so far; that of a run reads and writes files."""
        if self.run is None and scope not in self.scopes:
            raise Forbidden(f"this token has not the scope `{scope}`", code="scope", scope=scope)


class Authenticator:
    """Finds the subject of a token."""

    def __init__(self, store: EventStore, changes: Changes) -> None:
        self._store = store
        self._changes = changes
        self._users: OrderedDict[str, Subject] = OrderedDict()
        self._runs: dict[str, tuple[float, Subject]] = {}
        self._forgotten = 0
        changes.listen(self._forget)

    async def subject(self, token: str, context: Context) -> Subject | None:
        """The caller that a token speaks for, or None."""
        known = self._known(token)
        if known is None:
            bearer = read_bearer(token)
            if bearer is None:
                return None
            find = self._user if bearer.kind == "token" else self._run
            forgotten = self._forgotten
            known = await self._store.run(context, lambda session: find(session, bearer))
            if known is None:
                return None
            if forgotten == self._forgotten:  # what was read may be what has just changed
                self._remember(token, known)
        if known.expires_at is not None and context.time >= known.expires_at:
            return None
        return known

    async def user(self, user_id: str, context: Context) -> Subject | None:
        """A user as a caller with all scopes; None for one who is not there."""

        async def find(session: Session) -> Subject | None:
            user = await session.find(User, user_id, repeats=False)
            if user is None:
                return None
            return Subject(user.id, await subject_values(session, user))

        return await self._store.run(context, find)

    def _known(self, token: str) -> Subject | None:
        if not self._changes.trusted:
            return None
        at, run = self._runs.get(token, (0.0, None))
        if run is not None and at > time.monotonic():
            return run
        return self._users.get(token)

    def _remember(self, token: str, subject: Subject) -> None:
        if subject.run is not None:
            if len(self._runs) >= _MOST_REMEMBERED:
                self._runs.clear()
            self._runs[token] = (time.monotonic() + _RUN_REMEMBERED_S, subject)
            return
        self._users[token] = subject
        if len(self._users) > _MOST_REMEMBERED:
            self._users.popitem(last=False)

    def _forget(self, ids: frozenset[str]) -> None:
        """Forget who has changed; all, when a group has."""
        self._forgotten += 1
        if any(id_.startswith("group-") for id_ in ids):
            self._users.clear()
            return
        gone = [t for t, s in self._users.items() if s.id in ids or s.token in ids]
        for token in gone:
            del self._users[token]

    async def _user(self, session: Session, bearer: Bearer) -> Subject | None:
        token = await session.find(Token, bearer.id, repeats=False)
        if token is None or token.revoked or not bearer.matches(token.digest):
            return None
        user = await session.find(User, token.user, repeats=False)
        if user is None or not user.enabled:
            return None
        values = await subject_values(session, user)
        scopes = frozenset(token.scopes)
        return Subject(user.id, values, scopes, None, token.id, token.expires_at)

    async def _run(self, session: Session, bearer: Bearer) -> Subject | None:
        """The token of the present attempt, until the run has ended."""
        run = await session.find(Run, bearer.id, repeats=False)
        if run is None or run.ended or run.token_digest is None:
            return None
        if not bearer.matches(run.token_digest):
            return None
        return Subject(run.id, {}, run=run.id)
