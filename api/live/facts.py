"""Attributes of the entities that listeners listen to, kept until the record changes them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

from domain.aggregate import Context
from domain.text import kind_of
from infra.event_store import EventStore, Session
from policies.schema import Facts
from projections.access.changes import Changes
from projections.access.facts import CLASSES, facts_of

_MOST = 20_000


class FactsCache:
    """Facts by id; those of a run are forgotten with its experiment's."""

    def __init__(self, store: EventStore, changes: Changes) -> None:
        self._store = store
        self._noticed = changes
        self._facts: dict[str, Facts | None] = {}
        self._changes = 0
        self._changed: dict[str, int] = {}

    def __getitem__(self, id_: str) -> Facts | None:
        return self._facts.get(id_)

    async def load(self, ids: Iterable[str]) -> None:
        """Read what is not known; an entity that is not there has no facts."""
        if len(self._facts) > _MOST or not self._noticed.trusted:
            self.clear()
        wanted = set(ids)
        while unknown := wanted - self._facts.keys():  # while one is read, another may change
            for id_ in unknown:
                before = self._changes
                found = await self._store.run(_context(), partial(_read, id_=id_))
                if not self._changed_since(before, id_, found):
                    self._facts[id_] = found

    def forget(self, ids: frozenset[str]) -> None:
        """Read these again when they are next needed."""
        self._changes += 1
        if len(self._changed) > _MOST:
            self.clear()
        self._changed.update(dict.fromkeys(ids, self._changes))
        self._facts = {
            id_: facts
            for id_, facts in self._facts.items()
            if id_ not in ids and (facts is None or facts.get("experiment") not in ids)
        }

    def clear(self) -> None:
        """Forget everything, also what is being read."""
        self._changes += 1
        self._facts.clear()
        self._changed = {"": self._changes}

    def _changed_since(self, before: int, id_: str, facts: Facts | None) -> bool:
        """Whether what was read may be older than a change noticed meanwhile."""
        of = ("", id_, str((facts or {}).get("experiment")))
        return max(self._changed.get(one, 0) for one in of) > before


def _context() -> Context:
    return Context("system", datetime.now(UTC), "live")


async def _read(session: Session, id_: str) -> Facts | None:
    found = await session.find(CLASSES[kind_of(id_)], id_)
    return await facts_of(session, found) if found is not None else None
