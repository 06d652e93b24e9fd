"""The record itself, page by page in log order."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query

from api.dependencies import ServicesOf, UserOf
from infra.event_log.message import LogMessage

router = APIRouter(tags=["events"])

_MOST = 2**53
_SCAN = 5000  # positions looked at for one page, however few of them match


@router.get("/events")
async def list_events(
    services: ServicesOf,
    caller: UserOf,
    after: Annotated[int, Query(ge=0, le=_MOST, description="position of the last event seen")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    project: str | None = None,
    entity: str | None = None,
) -> dict[str, Any]:
    """Events behind a position. Follow `next_after`; the end is reached when `at_end` says so."""
    if entity is not None:
        whole = await services.log.read(entity) if entity else []
        messages = [m for m in whole if m.position > after]
        page = messages[:limit]
        at_end = len(page) == len(messages)
    else:
        messages = await services.log.read_after(after, _SCAN if project else limit)
        page = [m for m in messages if project is None or _project(m) == project][:limit]
        at_end = not messages  # a short page is not the end: the broker cuts pages by size
    seen = page[-1] if len(page) == limit else (messages[-1] if messages else None)
    return {
        "items": [_event(services.log.layout.parse(m.subject), m) for m in page],
        "next_after": seen.position if seen else after,
        "at_end": at_end,
    }


def _project(message: LogMessage) -> str | None:
    project: str | None = orjson.loads(message.payload).get("project")
    return project


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
