"""Nodes: who is there, tokens by which machines join, and joining."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Response, status
from pydantic import BaseModel, Field

from api.commands import nodes
from api.dependencies import ContextOf, GuardOf, ServicesOf, UserOf
from api.routes.bodies import Body
from api.routes.tokens import IssuedToken, fresh, issued
from domain.token import JOIN

MOST_S = 30 * 24 * 3600

router = APIRouter(prefix="/nodes", tags=["nodes"])


class NewJoinToken(Body):
    """A token by which machines join as nodes, while it lasts."""

    label: str = ""
    expires_in_s: Annotated[int, Field(ge=1, le=MOST_S)] = 3600


class Joining(Body):
    """The machine that joins; its name is part of subjects of the broker."""

    node: Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$")]


class Joined(BaseModel):
    """What the node's processes need: addresses, and credentials for its own subjects only."""

    node: str
    nats_url: str
    ray_address: str
    ray_token: str


class ShownNode(BaseModel):
    """A node as it last told of itself; one that is not `present` was silent for a while."""

    name: str
    cpus: int
    gpus: int
    memory_mb: int
    labels: dict[str, str]
    facts: dict[str, Any]
    attempts: int
    present: bool
    heard_at: datetime


class ShownNodes(BaseModel):
    """All nodes that the caller may see, by name."""

    items: list[ShownNode]


@router.get("")
async def list_nodes(services: ServicesOf, guard: GuardOf) -> ShownNodes:
    """The nodes ever heard of."""
    found = await nodes.seen(services, guard)
    return ShownNodes(items=[ShownNode(**node) for node in found])


@router.post("/tokens", status_code=status.HTTP_201_CREATED)
async def issue_join_token(
    body: NewJoinToken,
    services: ServicesOf,
    caller: UserOf,
    guard: GuardOf,
    context: ContextOf,
    response: Response,
) -> IssuedToken:
    """Issue a token by which machines can join, and nothing else; it is shown this once."""
    token_id, bearer, digest = fresh(context)
    expires_at = context.time + timedelta(seconds=body.expires_in_s)
    new = nodes.JoinToken(token_id, caller.id, body.label, digest, expires_at)
    issuing = services.store.run(
        context, lambda session: nodes.issue_join_token(session, guard, new)
    )
    return await issued(issuing, token_id, bearer, response)


@router.post("/join")
async def join(
    body: Joining, services: ServicesOf, caller: UserOf, guard: GuardOf, context: ContextOf
) -> Joined:
    """Join as a node, with a token that was issued for that by who still may admit nodes."""
    caller.require_scope(JOIN)
    await nodes.require_free(services, body.node)
    token = caller.token or ""
    await services.store.run(context, lambda s: nodes.join(s, guard, token, body.node))
    return Joined(**await nodes.admitted(services.settings, body.node))
