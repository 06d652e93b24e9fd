"""Who listens: rights that are looked up again and again while the stream is open."""

from collections.abc import Awaitable, Callable

from api.live.facts import FactsCache
from api.live.messages import LiveMessage
from api.live.topics import Topics
from domain.text import kind_of
from policies.access import Access
from projections.access.event_members import UNKNOWN

Lookup = Callable[[], Awaitable[Access | None]]
"""The caller's present rights; None once the token opens nothing."""


class Viewer:
    """One listener's rights to its topics and to each message."""

    def __init__(self, access: Access, look_up: Lookup) -> None:
        self._access = access
        self._look_up = look_up

    async def may_stay(self, topics: Topics, facts: FactsCache) -> bool:
        """Look the rights up again: whether the token is good and every topic may be seen."""
        access = await self._look_up()
        if access is None:
            return False
        self._access = access
        await facts.load(topics.ids)
        return all(self._sees(id_, facts) for id_ in topics.ids)

    def shown(self, message: LiveMessage, facts: FactsCache) -> bytes | None:
        """What of a message may be seen: all of it, its masked form, or nothing."""
        known = facts[message.run]
        if known is None or not self._access.permits("run", "read", known):
            return None
        masked = self._access.masked("run", known)
        if not masked or message.fields.isdisjoint(masked | {UNKNOWN}):
            return message.body
        return None if "status" in masked else message.masked_body

    def _sees(self, id_: str, facts: FactsCache) -> bool:
        known = facts[id_]
        return known is not None and self._access.permits(kind_of(id_), "read", known)
