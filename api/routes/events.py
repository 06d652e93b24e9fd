"""The record itself, page by page, as far as the caller may see it, and proofs."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request

from api.access.events import EventTeller, event_of
from api.access.guard import missing
from api.commands.proving import proof_of
from api.dependencies import AccessOf, ContextOf, ReadOf, ServicesOf
from api.routes.bodies import PageOf
from domain.errors import Forbidden, Invalid
from domain.plain_data import holds_text
from projections.events import (
    WHERE,
    EventPlace,
    EventsAsked,
    EventsPage,
    decisions_of,
    read_events,
)

router = APIRouter(tags=["events"])

_MOST = 2**53
_PATIENCE_S = 2.0
_PARAMETERS = {"limit", "cursor", "sort", "after", "since", "until", "filter", "min_position"}

Sort = Literal["position", "-position"]


async def asked(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: str | None = None,
    sort: Annotated[Sort, Query(description="`-position` begins with the newest")] = "position",
    after: Annotated[int, Query(ge=0, le=_MOST, description="only behind this position")] = 0,
    since: Annotated[datetime | None, Query(description="not before this time")] = None,
    until: Annotated[datetime | None, Query(description="before this time")] = None,
    filter_: Annotated[str | None, Query(alias="filter", description="see docs/filters.md")] = None,
) -> EventsAsked:
    """What is asked; `entity`, `kind`, `action`, `actor`, `project` and `request` compare too."""
    where = {k: v for k, v in request.query_params.items() if k not in _PARAMETERS}
    for name in where.keys() - set(WHERE):
        others = ", ".join([*WHERE, "filter"])
        raise Invalid(f"cannot filter by `{name}`; there are: {others}", field=name)
    if not all(map(holds_text, where.values())):
        raise Invalid("a filter value contains NUL")
    newest_first = sort == "-position"
    times = (_zoned(since), _zoned(until))
    return EventsAsked(limit, cursor, newest_first, after, *times, where, filter_)


AskedOf = Annotated[EventsAsked, Depends(asked)]


async def settled(services: ServicesOf, asked: AskedOf) -> None:
    """Wait a little for what was recorded before: a first page is to have all of it."""
    if asked.cursor is None and (last := await services.log.last()) is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                await services.positions.wait(last.position)


def found(
    services: ServicesOf,
    access: AccessOf,
    asked: AskedOf,
    _: Annotated[None, Depends(settled)],
    connection: ReadOf,
) -> tuple[EventsPage, dict[str, list[dict[str, Any]]], int]:
    """The places of a page, the decisions of its requests, and the position that it shows.

    Who may not read is refused before anything is waited for, and no connection is held meanwhile.
    """
    position = services.positions.read(connection)
    page = read_events(connection, access, asked, services.signer, datetime.now(UTC))
    requests = {place.request for place in page.places if place.request is not None}
    return page, decisions_of(connection, access, requests), position


@router.get("/events", response_model=PageOf, response_model_exclude_unset=True)
async def list_events(
    services: ServicesOf,
    access: AccessOf,
    context: ContextOf,
    found: Annotated[
        tuple[EventsPage, dict[str, list[dict[str, Any]]], int],
        Depends(found),
    ],
) -> dict[str, Any]:
    """Who did what to what, when, why and from which request, with what it changed.

    An event is listed where its entity may be read. Follow `next_cursor`; a page may hold fewer
    than `limit` events, even none, and not be the last.
    """
    page, decisions, position = found
    items = await EventTeller(services, access, context).tell(page.places, decisions)
    return {"items": items, "next_cursor": page.next_cursor, "position": position}


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
    id_, version = services.log.layout.parse(found[0].subject)
    place = EventPlace(position, str(id_), version, None)
    told = await EventTeller(services, access, context).tell([place], {})
    if not told:
        raise missing(f"event-{position}")
    recorded = event_of(version, str(id_), found[0])
    if any(told[0][name] != value for name, value in recorded.items()):
        raise Forbidden("parts of this event are masked for you", code="masked")
    return await asyncio.to_thread(proof_of, services.settings.nats_url, position)


def _zoned(time: datetime | None) -> datetime | None:
    """Without a zone it is UTC."""
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
