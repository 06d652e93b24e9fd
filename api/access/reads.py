"""Reads that policies oblige to record: what was shown to whom, entity by entity, with the rule.

It is recorded before it is shown. Of the same entity and subject it is recorded once a minute.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from domain.aggregate import Context
from domain.decision import Decision
from hansard.formats.ids import new_id
from infra.event_store import EventStore, Session
from policies.access import Access
from policies.pdp import Ruling
from policies.schema import Facts
from projections.access.facts import CLASSES, facts_of
from projections.access.recording import recorded_as

_APART_S = 60.0
_KNOWN = 100_000
_AT_A_TIME = 16


class Reads:
    """Remembers recorded reads, so that who looks again and again does not fill the record."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()

    def new(self, subject: str, ids: Iterable[str]) -> list[str]:
        """Those of the entities that the subject's reading of was not recorded within a minute."""
        since = self._clock() - _APART_S
        return [id_ for id_ in ids if self._known.get((subject, id_), since) <= since]

    def remember(self, subject: str, ids: Iterable[str]) -> None:
        """The subject's reading of these is recorded."""
        for id_ in ids:
            self._known[subject, id_] = self._clock()
            self._known.move_to_end((subject, id_))
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)


class ReadRecorder:
    """Records what one caller reads, in one request."""

    def __init__(self, store: EventStore, reads: Reads, access: Access, context: Context) -> None:
        self._store = store
        self._reads = reads
        self._access = access
        self._context = Context(context.actor, context.time, context.request)
        self._room = asyncio.Semaphore(_AT_A_TIME)

    def obliged(self, kind: str) -> bool:
        """Whether reads of a kind are recorded; those of decisions never, or it would not end."""
        if kind not in CLASSES or kind == "decision":
            return False
        return "record" in self._access.policies.decider(kind, "read").obligations

    async def record(self, kind: str, id_: str, facts: Facts, ruling: Ruling) -> None:
        """Record that an entity is read, if it must be. Raises LogUnavailable."""
        if self.obliged(kind) and self._reads.new(self._access.subject_id, [id_]):
            await self._save([self._decision(kind, id_, facts, ruling)])

    async def record_all(self, kind: str, ids: Sequence[str]) -> frozenset[str]:
        """The same for entities of a kind; answers those that may not be read after all."""
        if not self.obliged(kind):
            return frozenset()
        new = self._reads.new(self._access.subject_id, ids)
        decisions = await asyncio.gather(*(self._decided(kind, id_) for id_ in new))
        await self._save([d for d in decisions if d is not None])
        permitted = {d.entity for d in decisions if d is not None and d.permitted}
        return frozenset(new) - permitted

    async def _decided(self, kind: str, id_: str) -> Decision | None:
        """The decision on the record; None where there is nothing any more."""

        async def command(session: Session) -> Decision | None:
            found = await session.find(CLASSES[kind], id_, repeats=False)
            if found is None:
                return None
            facts = await facts_of(session, found)
            return self._decision(kind, id_, facts, self._access.ruling(kind, "read", facts))

        async with self._room:
            return await self._store.run(self._context, command)

    def _decision(self, kind: str, id_: str, facts: Facts, ruling: Ruling) -> Decision:
        new = new_id("decision")
        decision = recorded_as(new, self._access, kind, id_, "read", facts, ruling)
        assert decision is not None
        return decision

    async def _save(self, decisions: Sequence[Decision]) -> None:
        if decisions:
            await self._store.run(self._context, lambda session: session.save(*decisions))
            read = [decision.entity for decision in decisions if decision.permitted]
            self._reads.remember(self._access.subject_id, read)
