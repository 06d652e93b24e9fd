"""Users: names and mail are sealed under a key per person, and masked as policies say."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, status
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from api.access.guard import Guard
from api.commands import erasing, passwords, people
from api.commands.logins import login_place
from api.dependencies import (
    AccessOf,
    ContextOf,
    GuardOf,
    ReadOf,
    ServicesOf,
    UserOf,
    answer_one,
    answer_page,
    creation_id,
    page_request,
    permit_of,
)
from api.routes.bodies import Body, Id, PageOf, Written
from api.services import Services
from api.visit import VisitOf
from domain.aggregate import Context
from domain.text import checked_id
from domain.token import SCOPES
from domain.user import User
from infra.passwords import MAX_LENGTH
from policies.access import Permit
from projections import catalogue
from projections.page import PageRequest

router = APIRouter(prefix="/users", tags=["users"])

Login = Annotated[str, Field(min_length=1, max_length=128)]
Password = Annotated[str, Field(max_length=MAX_LENGTH)]
PersonName = Annotated[str, Field(max_length=200)]
Mail = Annotated[str, Field(max_length=320)]

_FROM_ROLES = ("viewer_of", "contributor_of", "manager_of")


class NewUser(Body):
    """A person or a service account."""

    id: Id | None = None
    name: PersonName
    mail: Mail = ""
    attributes: dict[str, Any] = {}
    service: bool = False
    login: Login | None = None


class Attributes(Body):
    """All attributes of a user, as they are to be."""

    attributes: dict[str, Any]


class LoginName(Body):
    """The login of a user; null takes it away."""

    login: Login | None


class PasswordChange(Body):
    """A password, and the present one where the caller has one."""

    password: Password
    current_password: Password | None = None


class Erasure(Body):
    """Why somebody is erased; it stays in the record, so it should name nobody."""

    reason: Annotated[str, Field(max_length=1000)]


@router.post("", status_code=status.HTTP_201_CREATED)
async def register(
    body: NewUser, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Register a person or a service account."""
    id_ = checked_id(creation_id("user", body.id, context), "user")
    place = body.login and login_place(services.settings.secret, body.login)
    new = people.NewPerson(id_, body.name, body.mail, body.attributes, body.service, place)
    position = await services.store.run(
        context, lambda session: people.register(session, guard, services.keys, new)
    )
    return Written(id=id_, position=position)


@router.get("", response_model=PageOf, response_model_exclude_unset=True)
async def list_users(
    services: ServicesOf,
    access: AccessOf,
    context: ContextOf,
    connection: ReadOf,
    request: Annotated[PageRequest, Depends(page_request(catalogue.USERS))],
) -> dict[str, Any]:
    """One page of the users you may see, with their names as far as they are shown to you."""
    page = await run_in_threadpool(
        answer_page, services, connection, catalogue.USERS, request, access, context
    )
    page["items"] = await asyncio.gather(*(_named(services, row) for row in page["items"]))
    return page


@router.get("/me")
async def read_me(services: ServicesOf, caller: UserOf, context: ContextOf) -> dict[str, Any]:
    """The caller, and what the token reaches."""
    caller.require_scope("read")
    user = await services.store.run(context, lambda session: session.load(User, caller.id))
    profile = await _profile(services, user.id, user.profile)
    return {
        "id": user.id,
        "attributes": user.attributes,
        "enabled": user.enabled,
        "admin": user.is_administrator,
        "service": user.service,
        "groups": caller.values["groups"],
        "roles": user.roles,
        "scopes": [scope for scope in SCOPES if scope in caller.scopes],
        **profile,
    }


UserPermit = Annotated[Permit, Depends(permit_of(catalogue.USERS))]


def _user_row(permit: UserPermit, connection: ReadOf) -> dict[str, Any]:
    """The user's row; memberships of archived groups are nobody's business."""
    row = answer_one(connection, catalogue.USERS, permit)
    hidden = () if permit.masked.isdisjoint(("roles", "viewer_of")) else _FROM_ROLES
    return {n: None if n in hidden else v for n, v in row.items() if n != "joined"}


@router.get("/{id_}")
async def read_user(
    permit: UserPermit,
    row: Annotated[dict[str, Any], Depends(_user_row)],
    services: ServicesOf,
) -> dict[str, Any]:
    """A user; what is masked is null and named, and so is the text of who is erased."""
    profile = await _profile_of(services, row)
    return {**row, **{n: None if n in permit.masked else text for n, text in profile.items()}}


@router.put("/{id_}/attributes")
async def change_attributes(
    id_: str, body: Attributes, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Replace a user's attributes, each of the type that policies declare.

    Only administrators change who is one, and the last administrator stays one.
    """
    position = await services.store.run(
        context, lambda session: people.change_attributes(session, guard, id_, body.attributes)
    )
    return Written(id=id_, position=position)


@router.post("/{id_}/disable")
async def disable(id_: str, services: ServicesOf, guard: GuardOf, context: ContextOf) -> Written:
    """Shut a user out: tokens and password open nothing any more."""
    return await _change(services, guard, context, id_, User.disable)


@router.post("/{id_}/enable")
async def enable(id_: str, services: ServicesOf, guard: GuardOf, context: ContextOf) -> Written:
    """Let a user in again."""
    return await _change(services, guard, context, id_, User.enable)


@router.post("/{id_}/erase")
async def erase(
    id_: str, body: Erasure, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Make name and mail of a disabled user unreadable for ever, also in events: see audit.md.

    Only administrators may. The login is free again; the id and what was done under it stay.
    """
    position = await erasing.erase(services, guard, context, id_, body.reason)
    return Written(id=id_, position=position)


@router.put("/{id_}/login")
async def change_login(
    id_: str, body: LoginName, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Give a user another login, or none; the old one is free again."""
    place = body.login and login_place(services.settings.secret, body.login)
    position = await services.store.run(
        context, lambda session: people.change_login(session, guard, id_, place)
    )
    return Written(id=id_, position=position)


@router.put("/{id_}/password")
async def set_password(
    id_: str,
    body: PasswordChange,
    services: ServicesOf,
    caller: UserOf,
    guard: GuardOf,
    context: ContextOf,
    visit: VisitOf,
) -> Written:
    """Set a password of 10 to 200 characters; one's own only with the present one.

    It opens sessions with all scopes, so that the caller's token must have all of them. Sessions
    that are open stay open: see `GET /v1/tokens`.
    """
    people.require_scopes(caller, SCOPES)
    new = passwords.NewPassword(body.password, body.current_password)
    position = await passwords.set_password(services, guard, context, visit, id_, new)
    return Written(id=id_, position=position)


async def _change(
    services: Services, guard: Guard, context: Context, id_: str, perform: Callable[[User], None]
) -> Written:
    position = await services.store.run(
        context, lambda session: people.change(session, guard, id_, perform)
    )
    return Written(id=id_, position=position)


async def _named(services: Services, row: dict[str, Any]) -> dict[str, Any]:
    """A row of the list with the name opened, unless it is masked."""
    profile = await _profile_of(services, row)
    return {**row, "name": None if "name" in row.get("masked", ()) else profile["name"]}


async def _profile_of(services: Services, row: dict[str, Any]) -> dict[str, Any]:
    """Name and mail of a row; of who is erased nothing, even while the key is still there."""
    sealed = row.pop("profile")
    return await _profile(services, row["id"], "" if row["erased"] else sealed)


async def _profile(services: Services, id_: str, sealed: str) -> dict[str, Any]:
    opened = await services.keys.open(id_, sealed) if sealed else None
    found: dict[str, Any] = orjson.loads(opened) if opened else {"name": None, "mail": None}
    return found
