"""The guard of commands and single reads: decides on the aggregate, inside the command.

What may not be seen is not found; what may be seen but not done is forbidden, with the rule's name.
Decisions that must be recorded are saved together with what they allowed; denials by themselves.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from api.access.reads import ReadRecorder, Reads
from domain.aggregate import Aggregate, Context
from domain.errors import Forbidden, NotFound
from domain.sandbox import Level
from domain.text import kind_of
from hansard.formats.ids import new_id
from infra.event_store import EventStore, Session
from policies.access import Access, Permit
from policies.kinds import SCHEMAS
from policies.schema import Facts
from projections.access.facts import facts_of
from projections.access.recording import recorded_as

A = TypeVar("A", bound=Aggregate)

_GOVERNING = ("user", "group", "token", "invitation", "policy", "node")
_DENIALS_APART_S = 60.0
_DENIALS_EACH = 10
_DENIALS_KNOWN = 10_000


class Guard:
    """Decides for one caller and request."""

    def __init__(
        self,
        access: Access,
        scopes: frozenset[str],
        context: Context,
        store: EventStore,
        denials: "Denials",
    ) -> None:
        self.access = access
        self._scopes = scopes
        self._context = context
        self._store = store
        self._denials = denials
        self._recorder = ReadRecorder(store, denials.reads, access, context)

    async def load(
        self,
        session: Session,
        kind: type[A],
        id_: str,
        action: str = "read",
        *,
        repeats: bool = True,
    ) -> A:
        """The aggregate, if the action on it is permitted. Raises NotFound and Forbidden."""
        self.require_scope(kind_of(id_), action)  # also for the answer that it is done already
        found = await session.find(kind, id_, repeats=repeats)
        if found is None:
            raise missing(id_)
        await self.require(session, found, action)
        return found

    async def require(self, session: Session, entity: Aggregate, action: str) -> Facts:
        """Raise NotFound if the entity may not be seen, Forbidden if the action is not permitted.

        Of what is only being created, nothing can be seen: it is forbidden.
        """
        facts = await facts_of(session, entity)
        kind = kind_of(entity.id)
        self.require_scope(kind, "read" if action == "read" else action)
        if entity.created_by and not self.access.ruling(kind, "read", facts).permitted:
            raise missing(entity.id)
        if action != "read":
            there = bool(entity.created_by) or action == "create"
            await self._decide(session, kind, entity.id, action, facts, there=there)
        return facts

    async def require_allocation(self, session: Session, run: str, asked: dict[str, Any]) -> None:
        """Raise Forbidden unless the caller may use this hardware."""
        facts = SCHEMAS["allocation"].facts(asked)
        await self._decide(session, "allocation", run, "allocate", facts, there=True)

    def sees_node(self, name: str) -> bool:
        """Whether a node may be seen."""
        return self.access.ruling("node", "read", SCHEMAS["node"].facts({"name": name})).permitted

    async def require_admitting(self, session: Session, token: str, name: str) -> None:
        """Raise Forbidden unless the caller may let machines join as nodes; "" is for any name."""
        facts = SCHEMAS["node"].facts({"name": name})
        await self._decide(session, "node", token, "admit", facts, there=True)

    def demanded_sandbox(self, asked: dict[str, Any]) -> Level:
        """The least isolation that policies demand of who uses this hardware."""
        facts = SCHEMAS["allocation"].facts(asked)
        return self.access.ruling("allocation", "allocate", facts).sandbox

    async def sees(self, session: Session, entity: Aggregate) -> bool:
        """Whether an entity may be seen."""
        facts = await facts_of(session, entity)
        return self.access.ruling(kind_of(entity.id), "read", facts).permitted

    async def permit(self, session: Session, kind: type[A], id_: str) -> Permit:
        """The right to read an entity. Raises NotFound."""
        self.require_scope(kind_of(id_), "read")
        found = await session.find(kind, id_, repeats=False)
        facts = await facts_of(session, found) if found is not None else None
        permit = self.access.permit(kind_of(id_), facts) if facts is not None else None
        if permit is None or facts is None:
            raise missing(id_)
        if self._denials.recorded and self._recorder.obliged(permit.kind):
            ruling = self.access.ruling(permit.kind, "read", facts)
            await self._recorder.record(permit.kind, id_, facts, ruling)
        return permit

    def require_scope(self, kind: str, action: str) -> None:
        """Raise Forbidden unless the caller's token reaches so far."""
        if action == "read":
            scope = "read"
        else:
            scope = "admin" if kind in _GOVERNING or action == "manage" else "write"
        if scope not in self._scopes:
            raise Forbidden(f"this token has not the scope `{scope}`", code="scope", scope=scope)

    async def _decide(
        self, session: Session, kind: str, id_: str, action: str, facts: Facts, *, there: bool
    ) -> None:
        """Raise Forbidden unless it is permitted; of what is not there no denial is recorded."""
        ruling = self.access.ruling(kind, action, facts)
        decision = recorded_as(new_id("decision"), self.access, kind, id_, action, facts, ruling)
        if ruling.permitted:
            if decision is not None:
                session.attach(f"{action} {id_}", decision)
            return
        subject = self.access.subject_id
        if decision is not None and there and self._denials.is_new(subject, kind, action):
            await self._store.run(self._context_of_denial, lambda own: own.save(decision))
        raise Forbidden(
            f"you may not {action.replace('_', ' ')} this {kind}: {ruling.because}",
            policy=ruling.policy,
            rule=ruling.rule,
            action=action,
        )

    @property
    def _context_of_denial(self) -> Context:
        return Context(self._context.actor, self._context.time, self._context.request)


class Denials:
    """Remembers recorded denials, so that repeating requests does not fill the record."""

    recorded = True
    """Whether any decision is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self.reads = Reads(clock)

    def is_new(self, subject: str, kind: str, action: str) -> bool:
        """Whether to record it: not one like it, nor ten of the subject within the last minute."""
        now = self._clock()
        while self._known and now - next(iter(self._known.values())) >= _DENIALS_APART_S:
            self._forget_oldest()
        key = (subject, kind, action)
        if key in self._known or self._counts[subject] >= _DENIALS_EACH:
            return False
        if len(self._known) >= _DENIALS_KNOWN:
            self._forget_oldest()
        self._known[key] = now
        self._counts[subject] += 1
        return True

    def _forget_oldest(self) -> None:
        (subject, _, _), _ = self._known.popitem(last=False)
        self._counts[subject] -= 1
        if not self._counts[subject]:
            del self._counts[subject]


class Unrecorded(Denials):
    """Of questions what would be permitted, nothing is recorded."""

    recorded = False

    def is_new(self, subject: str, kind: str, action: str) -> bool:
        """Never."""
        return False


def missing(id_: str) -> NotFound:
    """What there is not, and what may not be seen: the same answer."""
    return NotFound(f"there is no {kind_of(id_)} {id_}", id=id_)
