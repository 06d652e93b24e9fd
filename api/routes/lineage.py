"""Lineage: what something was made from, and what was made from it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from api.access.guard import missing
from api.dependencies import AccessOf, ContextOf, GuardOf, ReadOf, ServicesOf
from domain.text import kind_of
from policies.access import Permit
from projections.access.facts import CLASSES
from projections.lineage import MAX_DEPTH, Direction, read_lineage

router = APIRouter(prefix="/lineage", tags=["lineage"])

Kind = Literal["version", "run", "model", "dataset", "executor", "loader"]


class Graph(BaseModel):
    """Nodes, and edges from what was made to what it was made from."""

    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]
    position: int
    truncated: bool


async def readable(
    kind: Kind, id_: str, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Permit:
    """The right to read where the walk begins. Raises NotFound."""
    if kind_of(id_) != kind:
        raise missing(id_)
    return await services.store.run(context, lambda s: guard.permit(s, CLASSES[kind], id_))


@router.get("/{kind}/{id_}")
def lineage(
    services: ServicesOf,
    access: AccessOf,
    connection: ReadOf,
    permit: Annotated[Permit, Depends(readable)],
    direction: Annotated[
        Direction, Query(description="`up`: what it was made from; `down`: what was made from it")
    ] = "both",
    depth: Annotated[int, Query(ge=1, le=MAX_DEPTH, description="steps from there")] = 3,
) -> Graph:
    """The versions and runs around one of them, or around all versions of an abstraction.

    What you may not see is a node `hidden-1`, `hidden-2` and so on without name, the same one for
    the same thing within an answer. Nothing is told of what lies behind it.
    """
    position = services.positions.read(connection)
    found = read_lineage(connection, access, permit, direction, depth)
    return Graph(nodes=found.nodes, edges=found.edges, position=position, truncated=found.truncated)
