"""One multiplexed stream of server-sent events per client."""

from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from api.dependencies import ServicesOf, UserOf
from api.live.topics import Topics

router = APIRouter(tags=["live"])


@router.get("/live")
async def live(
    services: ServicesOf,
    caller: UserOf,
    topics: Annotated[str, Query(description="run:<id>,experiment:<id>,project:<id>,...")],
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Status, metrics, logs and progress as they happen.

    `Last-Event-ID` resumes without gap or repeat.
    """
    events = services.live.listen(Topics.parse(topics), last_event_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)
