"""The record itself, page by page in log order, as far as the caller may see it, and proofs."""

import asyncio
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query

from api.access.event_members import shown_members
from api.access.guard import missing
from api.commands.proving import proof_of
from api.dependencies import AccessOf, ContextOf, ServicesOf
from domain.errors import Forbidden
from domain.text import kind_of
from infra.event_log.message import LogMessage
from infra.event_store import Session
from policies.access import Access, Permit
from projections.access.facts import CLASSES, facts_of

router = APIRouter(tags=["events"])

_MOST = 2**53
_SCAN = 1000  # positions looked at for one page, however few of them match


@router.get("/events")
async def list_events(
    services: ServicesOf,
    access: AccessOf,
    context: ContextOf,
    after: Annotated[int, Query(ge=0, le=_MOST, description="position of the last event seen")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    project: str | None = None,
    entity: str | None = None,
) -> dict[str, Any]:
    """Events behind a position. Follow `next_after`; the end is reached when `at_end` says so."""
    seeing = _Seeing(access)
    if entity is None:
        messages = await services.log.read_after(after, _SCAN)
    elif await services.store.run(context, partial(seeing.permit, id_=entity)) is None:
        messages = []  # as of an entity that there is not
    else:
        messages = [m for m in await services.log.read(entity) if m.position > after]
    found: list[dict[str, Any]] = []
    last = after
    for message in messages:
        event = _event(services.log.layout.parse(message.subject), message)
        last = message.position
        if project is None or event.get("project") == project:
            shown = await services.store.run(context, partial(seeing.shown, event=event))
            found += [shown] if shown is not None else []
        if len(found) == limit:
            break
    at_end = not messages if entity is None else last == messages[-1].position if messages else True
    return {"items": found, "next_after": last, "at_end": at_end}


@router.get("/events/{position}/proof")
async def prove_event(
    services: ServicesOf,
    access: AccessOf,
    context: ContextOf,
    position: Annotated[int, Path(ge=1, le=_MOST, description="position of the event")],
) -> dict[str, Any]:
    """Proof that an event is in the record, for somebody without the platform: see audit.md.

    The event's record is part of it, so nothing of the event may be masked for the caller.
    """
    found = await services.log.read_after(position - 1, 1)
    if not found or found[0].position != position:
        raise missing(f"event-{position}")
    event = _event(services.log.layout.parse(found[0].subject), found[0])
    shown = await services.store.run(context, partial(_Seeing(access).shown, event=event))
    if shown is None:
        raise missing(f"event-{position}")
    if shown != event:
        raise Forbidden("parts of this event are masked for you", code="masked")
    return await asyncio.to_thread(proof_of, services.settings.nats_url, position)


class _Seeing:
    """Decides on events by their entities, each entity once."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._permits: dict[str, Permit | None] = {}

    async def shown(self, session: Session, *, event: dict[str, Any]) -> dict[str, Any] | None:
        """The event without masked fields, or None."""
        permit = await self.permit(session, id_=event["entity"])
        if permit is None:
            return None
        return {**event, "data": shown_members(permit.kind, event["data"], permit.masked)}

    async def permit(self, session: Session, *, id_: str) -> Permit | None:
        """The right to the events of an entity, decided once."""
        if id_ not in self._permits:
            self._permits[id_] = await self._decide(session, id_)
        return self._permits[id_]

    async def _decide(self, session: Session, id_: str) -> Permit | None:
        """What no policy governs, such as reservations of names, is shown to administrators."""
        kind = kind_of(id_)
        if kind not in CLASSES:
            return Permit(kind, id_) if self._access.subject["admin"] else None
        found = await session.find(CLASSES[kind], id_, repeats=False)
        if found is None:
            return None
        return self._access.permit(kind, await facts_of(session, found))


def _event(place: tuple[Any, int], message: LogMessage) -> dict[str, Any]:
    entity, version = place
    return {
        "position": message.position,
        "entity": str(entity),
        "version": version,
        "topic": message.topic,
        "hash": message.hash,
        **orjson.loads(message.payload),
    }
