"""Groups of users, and the members of groups and projects."""

from fastapi import APIRouter

from api.routes import members
from api.routes.bodies import NewEntity
from api.routes.entities import read_routes, write_routes
from domain.group import Group
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
router.include_router(members.router)
