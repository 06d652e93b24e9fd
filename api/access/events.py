"""What a caller may see of events: what happened, what it changed, and by which decision."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from api.access.changes_told import Change, fold
from api.access.reads import ReadRecorder
from api.services import Services
from domain.aggregate import Context
from domain.text import kind_of
from infra.event_log.message import LogMessage
from policies.access import Access, Permit
from projections.access.event_members import shown_members
from projections.access.facts import CLASSES, facts_of
from projections.event_rows import action_of
from projections.events import EventPlace

_AT_A_TIME = 16
_LONG = 50  # events of an entity; folding them takes a while


class EventTeller:
    """Tells events by the record, once per entity of a page."""

    def __init__(self, services: Services, access: Access, context: Context) -> None:
        self._services = services
        self._access = access
        self._context = context
        self._recorder = ReadRecorder(services.store, services.denials.reads, access, context)
        self._room = asyncio.Semaphore(_AT_A_TIME)

    async def tell(
        self, places: Sequence[EventPlace], decisions: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> list[dict[str, Any]]:
        """The events at these places, in their order; `decisions` are given by request."""
        by_entity: dict[str, set[int]] = defaultdict(set)
        for place in places:
            by_entity[place.entity].add(place.version)
        told = await asyncio.gather(*(self._of(id_, v) for id_, v in by_entity.items()))
        events = {event["position"]: event for each in told for event in each}
        found = [events[place.position] for place in places if place.position in events]
        return [{**e, "decisions": list(decisions.get(e.get("request", ""), ()))} for e in found]

    async def _of(self, id_: str, versions: set[int]) -> list[dict[str, Any]]:
        async with self._room:
            messages = await self._services.log.read(id_)
            permit, changes = await self._permit(id_, messages, versions)
        if permit is None:
            return []
        wanted = ((v, message) for v, message in enumerate(messages, 1) if v in versions)
        return [_shown(permit, v, message, changes.get(v, {})) for v, message in wanted]

    async def _permit(
        self, id_: str, messages: Sequence[LogMessage], versions: Iterable[int]
    ) -> tuple[Permit | None, dict[int, dict[str, Change]]]:
        """What no policy governs, such as reservations of names, is shown to administrators."""
        kind = kind_of(id_)
        asked = (id_, messages, frozenset(versions))
        short = len(messages) < _LONG
        found, changes = fold(*asked) if short else await asyncio.to_thread(fold, *asked)
        if kind not in CLASSES:
            return (Permit(kind, id_) if self._access.subject["admin"] else None), changes
        if not isinstance(found, CLASSES[kind]):
            return None, {}
        entity = found
        facts = await self._services.store.run(self._context, lambda s: facts_of(s, entity))
        permit = self._access.permit(kind, facts)
        if permit is not None and self._recorder.obliged(kind):
            ruling = self._access.ruling(kind, "read", facts)
            await self._recorder.record(kind, id_, facts, ruling)
        return permit, changes


def event_of(version: int, id_: str, message: LogMessage) -> dict[str, Any]:
    """An event as it is recorded."""
    return {
        "position": message.position,
        "entity": id_,
        "version": version,
        "topic": message.topic,
        "hash": message.hash,
        **orjson.loads(message.payload),
    }


def _shown(
    permit: Permit, version: int, message: LogMessage, changes: Mapping[str, Change]
) -> dict[str, Any]:
    event = event_of(version, permit.entity, message)
    data = shown_members(permit.kind, event["data"], permit.masked)
    reason = data.get("reason")
    told = {
        "kind": permit.kind,
        "action": action_of(message.topic),
        "reason": reason if isinstance(reason, str) else None,
        "changes": shown_members(permit.kind, changes, permit.masked),
    }
    if "created_by" in permit.masked:
        event["actor"] = None
    masked = {"masked": sorted(permit.masked)} if permit.masked else {}
    return {**event, "data": data, **told, **masked}
