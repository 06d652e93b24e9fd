"""Invitations: a secret to hand on, which makes whoever has it a member."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Response, status
from pydantic import Field

from api.commands import invitations
from api.dependencies import ContextOf, GuardOf, ServicesOf, UserOf, creation_id
from api.routes.bodies import Body, Id, Written
from api.routes.entities import read_routes
from api.routes.sessions import OpenSession, session_answer
from api.routes.users import Login, Mail, Password, PersonName
from api.visit import VisitOf
from infra.event_store import AlreadyDone
from infra.secret_digest import make_bearer, read_invitation, secret_digest
from projections import catalogue

_DAY_S = 24 * 3600
Secret = Annotated[str, Field(max_length=200)]


class NewInvitation(Body):
    """An invitation to a project with a role, to a group, or both."""

    project: Id | None = None
    role: str | None = None
    group: Id | None = None
    expires_in_s: Annotated[int, Field(ge=1, le=30 * _DAY_S)] = 7 * _DAY_S
    uses: int = 1
    note: str = ""


class IssuedInvitation(Written):
    """An invitation; its secret is shown this once, and null where the request is a repeat."""

    secret: str | None


class Acceptance(Body):
    """An invitation to accept."""

    secret: Secret


class Joining(Body):
    """An invitation to join by, and who joins."""

    secret: Secret
    name: PersonName
    mail: Mail = ""
    login: Login
    password: Password


router = APIRouter(prefix="/invitations", tags=["invitations"])
read_routes(router, catalogue.INVITATIONS)


@router.post("", status_code=status.HTTP_201_CREATED)
async def issue(
    body: NewInvitation,
    services: ServicesOf,
    guard: GuardOf,
    context: ContextOf,
    response: Response,
) -> IssuedInvitation:
    """Invite others: the secret opens the invitation until it expires or is used up."""
    id_ = creation_id("invitation", None, context)
    secret = make_bearer(id_)
    parts = read_invitation(secret)
    assert parts is not None
    new = invitations.NewInvitation(
        id_,
        secret_digest(parts.secret),
        body.project,
        body.role,
        body.group,
        context.time + timedelta(seconds=body.expires_in_s),
        body.uses,
        body.note,
    )
    try:
        position = await services.store.run(
            context, lambda session: invitations.issue(session, guard, new)
        )
    except AlreadyDone as before:
        response.status_code = status.HTTP_200_OK
        return IssuedInvitation(id=id_, position=before.position, repeated=True, secret=None)
    return IssuedInvitation(id=id_, position=position, secret=secret)


@router.post("/accept")
async def accept(
    body: Acceptance,
    services: ServicesOf,
    caller: UserOf,
    guard: GuardOf,
    context: ContextOf,
    visit: VisitOf,
) -> Written:
    """Become a member, as the user you are; a higher role that you have stays.

    It holds as long as its issuer may still invite, and not for its issuer.
    """
    guard.require_scope("invitation", "accept")
    services.logins.attempt(visit.address)
    position = await services.store.run(
        context, lambda session: invitations.accept(session, guard, visit, body.secret)
    )
    services.logins.succeeded(visit.address)
    return Written(id=caller.id, position=position)


@router.post("/join", status_code=status.HTTP_201_CREATED)
async def join(body: Joining, services: ServicesOf, visit: VisitOf) -> OpenSession:
    """Become a user and a member, and open a session. It needs no token.

    Where `HANSARD_OPEN_INVITATIONS` is off, the issuer must be able to register people.
    """
    asked = invitations.Joining(body.secret, body.name, body.mail, body.login, body.password)
    opened, position = await invitations.join(services, visit, asked)
    return session_answer(opened, position)


@router.post("/{id_}/revoke")
async def revoke(id_: str, services: ServicesOf, guard: GuardOf, context: ContextOf) -> Written:
    """Close an invitation for ever."""
    position = await services.store.run(
        context, lambda session: invitations.revoke(session, guard, id_)
    )
    return Written(id=id_, position=position)
