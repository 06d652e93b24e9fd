"""Users and their tokens. Names and mail are sealed under a key per person."""

from collections.abc import Callable
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, status
from pydantic import Field

from api.commands.entities import act
from api.dependencies import (
    AdminOf,
    ContextOf,
    ReadOf,
    ServicesOf,
    UserOf,
    answer_one,
    answer_page,
    creation_id,
    page_request,
)
from api.routes.bodies import Body, Id, PageOf, Written
from api.services import Services
from domain.aggregate import Context
from domain.errors import Forbidden
from domain.text import checked_id
from domain.user import Token, User
from infra.event_store import Session
from infra.secret_digest import make_bearer, read_bearer, secret_digest
from projections import catalogue
from projections.page import PageRequest

router = APIRouter(tags=["users"])


class NewUser(Body):
    """A person or a service account."""

    id: Id | None = None
    name: Annotated[str, Field(max_length=200)]
    mail: Annotated[str, Field(max_length=320)] = ""
    attributes: dict[str, Any] = {}


class Attributes(Body):
    """All attributes of a user, as they are to be."""

    attributes: dict[str, Any]


class NewToken(Body):
    """A token to issue."""

    label: str = ""


class IssuedToken(Written):
    """A token; its secret is shown this once."""

    token: str


@router.post("/users", status_code=status.HTTP_201_CREATED)
async def register(
    body: NewUser, services: ServicesOf, caller: AdminOf, context: ContextOf
) -> Written:
    """Register a user."""
    id_ = checked_id(creation_id("user", body.id, context), "user")
    profile = orjson.dumps({"name": body.name, "mail": body.mail}).decode()
    sealed = await services.keys.seal(id_, profile)

    async def command(session: Session) -> int:
        return await session.save(User.register(id_, sealed, body.attributes))

    return Written(id=id_, position=await services.store.run(context, command))


@router.get("/users", response_model=PageOf, response_model_exclude_unset=True)
def list_users(
    services: ServicesOf,
    caller: UserOf,
    connection: ReadOf,
    request: Annotated[PageRequest, Depends(page_request(catalogue.USERS))],
) -> dict[str, Any]:
    """One page of the users, without personal text."""
    return answer_page(services, connection, catalogue.USERS, request, caller)


@router.get("/users/me")
async def read_me(services: ServicesOf, caller: UserOf, context: ContextOf) -> dict[str, Any]:
    """The caller."""
    user = await services.store.run(context, lambda session: session.load(User, caller.id))
    profile = await _profile(services, user.id, user.profile)
    return {"id": user.id, "attributes": user.attributes, "enabled": user.enabled, **profile}


@router.get("/users/{id_}")
async def read_user(
    id_: str, services: ServicesOf, caller: UserOf, connection: ReadOf
) -> dict[str, Any]:
    """A user; name and mail are null once the person is erased."""
    row = answer_one(connection, catalogue.USERS, id_)
    profile = await _profile(services, id_, row.pop("profile"))
    return {**row, **profile}


@router.put("/users/{id_}/attributes")
async def change_attributes(
    id_: str, body: Attributes, services: ServicesOf, caller: AdminOf, context: ContextOf
) -> Written:
    """Replace a user's attributes."""
    return await _act(services, context, id_, lambda user: user.change_attributes(body.attributes))


@router.post("/users/{id_}/disable")
async def disable(id_: str, services: ServicesOf, caller: AdminOf, context: ContextOf) -> Written:
    """Shut a user out; the tokens stop working within seconds."""
    return await _act(services, context, id_, User.disable)


@router.post("/users/{id_}/enable")
async def enable(id_: str, services: ServicesOf, caller: AdminOf, context: ContextOf) -> Written:
    """Let a user in again."""
    return await _act(services, context, id_, User.enable)


@router.post("/users/{id_}/tokens", status_code=status.HTTP_201_CREATED)
async def issue_token(
    id_: str, body: NewToken, services: ServicesOf, caller: UserOf, context: ContextOf
) -> IssuedToken:
    """Issue a token, for oneself or as administrator. It is shown this once."""
    if id_ != caller.id:
        caller.require_admin()
    token_id = creation_id("token", None, context)
    bearer = make_bearer(token_id)
    parts = read_bearer(bearer)
    assert parts is not None

    async def command(session: Session) -> int:
        user = await session.load(User, id_)
        return await session.save(
            Token.issue(token_id, user.id, body.label, secret_digest(parts.secret))
        )

    position = await services.store.run(context, command)
    return IssuedToken(id=token_id, position=position, token=bearer)


@router.post("/tokens/{id_}/revoke")
async def revoke_token(
    id_: str, services: ServicesOf, caller: UserOf, context: ContextOf
) -> Written:
    """Close a token for ever: one's own, or any as administrator."""

    async def command(session: Session) -> int:
        token = await session.load(Token, id_)
        if token.user != caller.id and caller.attributes.get("admin") is not True:
            raise Forbidden("this token belongs to somebody else")
        token.revoke()
        return await session.save(token)

    return Written(id=id_, position=await services.store.run(context, command))


async def _act(
    services: Services, context: Context, id_: str, action: Callable[[User], None]
) -> Written:
    position = await services.store.run(context, lambda session: act(session, User, id_, action))
    return Written(id=id_, position=position)


async def _profile(services: Services, id_: str, sealed: str) -> dict[str, Any]:
    opened = await services.keys.open(id_, sealed)
    found: dict[str, Any] = orjson.loads(opened) if opened else {"name": None, "mail": None}
    return found
