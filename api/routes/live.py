"""One multiplexed stream of server-sent events per client."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials

from api.dependencies import BEARER, AccessOf, ContextOf, GuardOf, ServicesOf
from api.live.topics import Topics
from api.live.viewer import Lookup, Viewer
from api.services import Services
from domain.aggregate import Context
from domain.text import kind_of
from policies.access import Access
from projections.access.facts import CLASSES

router = APIRouter(tags=["live"])


@router.get("/live")
async def live(
    services: ServicesOf,
    access: AccessOf,
    guard: GuardOf,
    context: ContextOf,
    bearer: Annotated[HTTPAuthorizationCredentials, Depends(BEARER)],
    topics: Annotated[str, Query(description="run:<id>,experiment:<id>,project:<id>,...")],
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Status, metrics, logs and progress as they happen.

    `Last-Event-ID` resumes without gap or repeat. When you may no longer see a topic, the stream
    ends with the event `denied`.
    """
    wanted = Topics.parse(topics)
    for id_ in wanted.ids:
        kind = CLASSES[kind_of(id_)]
        await services.store.run(context, partial(guard.permit, kind=kind, id_=id_))
    viewer = Viewer(access, _lookup(services, bearer.credentials, context))
    events = services.live.listen(wanted, viewer, last_event_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


def _lookup(services: Services, token: str, context: Context) -> Lookup:
    async def look_up() -> Access | None:
        now = Context(context.actor, datetime.now(UTC), context.request)
        caller = await services.authenticator.subject(token, now)
        if caller is None or caller.id != context.actor or "read" not in caller.scopes:
            return None
        return await services.access(caller, now.time)

    return look_up
