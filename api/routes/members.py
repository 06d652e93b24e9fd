"""Members: who has which role in a project, and who belongs to a group."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from api.commands import people
from api.dependencies import (
    AccessOf,
    ContextOf,
    GuardOf,
    ReadOf,
    ServicesOf,
    answer_one,
    permit_of,
)
from api.routes.bodies import Body, PageOf, Written
from api.services import Services
from domain.group import Group
from domain.user import User
from infra.database import Connection
from policies.access import Permit
from projections import catalogue
from projections.members import MembersRequest, read_group_members, read_project_members
from projections.page import Page

router = APIRouter(tags=["members"])


class RoleOf(Body):
    """A role: viewer, contributor or manager; each includes those before it."""

    role: str


def members_request(limit: int = 50, cursor: str | None = None) -> MembersRequest:
    """What a client asks of a list of members."""
    return MembersRequest(limit, cursor)


RequestOf = Annotated[MembersRequest, Depends(members_request)]


@router.get("/projects/{id_}/members", response_model=PageOf, response_model_exclude_unset=True)
def list_project_members(
    permit: Annotated[Permit, Depends(permit_of(catalogue.PROJECTS))],
    services: ServicesOf,
    access: AccessOf,
    connection: ReadOf,
    request: RequestOf,
) -> dict[str, Any]:
    """The groups and users you may see that have a role in a project, by id."""
    answer_one(connection, catalogue.PROJECTS, permit)
    users, groups = access.listing("user"), access.listing("group")
    page = read_project_members(connection, permit, users, groups, request, services.signer)
    return _answer(services, connection, page)


@router.get("/groups/{id_}/members", response_model=PageOf, response_model_exclude_unset=True)
def list_group_members(
    permit: Annotated[Permit, Depends(permit_of(catalogue.GROUPS))],
    services: ServicesOf,
    access: AccessOf,
    connection: ReadOf,
    request: RequestOf,
) -> dict[str, Any]:
    """The users you may see that belong to a group, by id."""
    answer_one(connection, catalogue.GROUPS, permit)
    page = read_group_members(connection, permit, access.listing("user"), request, services.signer)
    return _answer(services, connection, page)


@router.put("/groups/{id_}/members/{user}")
async def add_member(
    id_: str, user: str, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Take a user into a group."""
    position = await services.store.run(
        context, lambda session: people.set_membership(session, guard, id_, user, member=True)
    )
    return Written(id=user, position=position)


@router.delete("/groups/{id_}/members/{user}")
async def remove_member(
    id_: str, user: str, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Take a user out of a group; everybody may leave, and `me` is the caller."""
    whom = context.actor if user == "me" else user
    position = await services.store.run(
        context, lambda session: people.set_membership(session, guard, id_, whom, member=False)
    )
    return Written(id=whom, position=position)


def _role_routes(path: str, kind: type[User] | type[Group]) -> None:
    """Add giving and taking roles in projects."""

    @router.put(f"/{path}/{{id_}}/roles/{{project}}", name=f"give role to {path}")
    async def give_role(
        id_: str,
        project: str,
        body: RoleOf,
        services: ServicesOf,
        guard: GuardOf,
        context: ContextOf,
    ) -> Written:
        """Give a role in a project, in place of any other there; members of a group have it too."""
        position = await services.store.run(
            context,
            lambda session: people.set_role(session, guard, kind, id_, project, body.role),
        )
        return Written(id=id_, position=position)

    @router.delete(f"/{path}/{{id_}}/roles/{{project}}", name=f"take role of {path}")
    async def take_role(
        id_: str, project: str, services: ServicesOf, guard: GuardOf, context: ContextOf
    ) -> Written:
        """Take the role in a project away; everybody may drop their own."""
        position = await services.store.run(
            context, lambda session: people.set_role(session, guard, kind, id_, project, None)
        )
        return Written(id=id_, position=position)


def _answer(services: Services, connection: Connection, page: Page) -> dict[str, Any]:
    position = services.positions.read(connection)
    return {"items": page.items, "next_cursor": page.next_cursor, "position": position}


_role_routes("users", User)
_role_routes("groups", Group)
