"""Groups of users, and the members of groups and projects."""

from typing import Any

from fastapi import APIRouter

from api.dependencies import ContextOf, GuardOf, ServicesOf
from api.routes import members
from api.routes.bodies import Body, NewEntity, Written
from api.routes.entities import read_routes, write_routes
from domain.group import Group
from infra.event_store import Session
from projections import catalogue


def _groups() -> APIRouter:
    found = APIRouter(prefix="/groups", tags=["groups"])
    read_routes(found, catalogue.GROUPS)
    write_routes(
        found,
        "group",
        Group,
        NewEntity,
        lambda id_, body: Group.create(id_, body.name, body.description),
    )
    return found


router = APIRouter()
router.include_router(_groups())


class Attributes(Body):
    """All attributes of a group, as they are to be."""

    attributes: dict[str, Any]


@router.get("/groups/{id_}/attributes")
async def read_attributes(
    id_: str, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Attributes:
    """The attributes of a group: what its runs may have together."""
    group = await services.store.run(context, lambda session: guard.load(session, Group, id_))
    return Attributes(attributes=group.attributes)


@router.put("/groups/{id_}/attributes")
async def change_attributes(
    id_: str, body: Attributes, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Replace a group's attributes, among them its weight, quotas and guaranteed shares."""

    async def command(session: Session) -> int:
        group = await guard.load(session, Group, id_, "limit")
        group.change_attributes(body.attributes)
        return await session.save(group)

    return Written(id=id_, position=await services.store.run(context, command))


router.include_router(members.router)
