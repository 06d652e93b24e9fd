"""Decides as the API would, in the name of who asked for a run, when the run ends."""

from datetime import UTC, datetime

from domain.aggregate import Aggregate
from domain.errors import Forbidden
from domain.text import kind_of
from domain.user import User
from hansard.formats.ids import new_id
from infra.event_store import Session
from policies.access import Access
from projections.access.active_policies import ActivePolicies
from projections.access.facts import facts_of, subject_values
from projections.access.recording import recorded_as


class Asker:
    """Who asked for a run, with the rights of this moment; without any when there is nobody."""

    def __init__(self, session: Session, user: str, access: Access | None) -> None:
        self.user = user
        self._session = session
        self._access = access

    async def require(self, entity: Aggregate, action: str) -> None:
        """Raise Forbidden, in words, unless it is permitted; what must be recorded will be saved
        with what the session saves next.
        """
        if self._access is None:
            raise Forbidden("who asked for the run is no active user any more")
        kind = kind_of(entity.id)
        facts = await facts_of(self._session, entity)
        ruling = self._access.ruling(kind, action, facts)
        id_ = new_id("decision")
        decision = recorded_as(id_, self._access, kind, entity.id, action, facts, ruling)
        if decision is not None:
            self._session.attach(f"{action} {entity.id}", decision)
        if not ruling.permitted:
            raise Forbidden(f"who asked for the run may not {action} this {kind}: {ruling.because}")

    async def sees(self, entity: Aggregate) -> bool:
        """Whether an entity may be seen."""
        if self._access is None:
            return False
        facts = await facts_of(self._session, entity)
        return self._access.permits(kind_of(entity.id), "read", facts)


async def asker_of(session: Session, user_id: str, policies: ActivePolicies) -> Asker:
    """The rights of a user under the policies that are in force."""
    user = await session.find(User, user_id)
    if user is None or not user.enabled:
        return Asker(session, user_id, None)
    active = await policies.current()
    subject = active.subject.facts(await subject_values(session, user))
    return Asker(session, user_id, Access(active, subject, datetime.now(UTC)))
