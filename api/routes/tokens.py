"""Tokens: issued once, listed, revoked for ever."""

from collections.abc import Awaitable
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Response, status
from pydantic import Field

from api.commands import people
from api.dependencies import ContextOf, GuardOf, ServicesOf, UserOf, creation_id
from api.routes.bodies import Body, Written
from api.routes.entities import read_routes
from domain.aggregate import Context
from domain.token import SCOPES
from infra.event_store import AlreadyDone
from infra.secret_digest import make_bearer, read_bearer, secret_digest
from projections import catalogue

MOST_S = 10 * 366 * 24 * 3600


class NewToken(Body):
    """A token to issue: with the caller's scopes, and for ever, where nothing else is said."""

    label: str = ""
    scopes: list[str] | None = None
    expires_in_s: Annotated[int, Field(ge=1, le=MOST_S)] | None = None


class IssuedToken(Written):
    """A token; its secret is shown this once, and null where the request is a repeat."""

    token: str | None


def _tokens() -> APIRouter:
    found = APIRouter(prefix="/tokens", tags=["tokens"])
    read_routes(found, catalogue.TOKENS)
    return found


router = APIRouter(tags=["tokens"])
router.include_router(_tokens())


def fresh(context: Context) -> tuple[str, str, str]:
    """Id, secret and the secret's digest for a new token."""
    token_id = creation_id("token", None, context)
    bearer = make_bearer(token_id)
    parts = read_bearer(bearer)
    assert parts is not None
    return token_id, bearer, secret_digest(parts.secret)


async def issued(
    issuing: Awaitable[int], token_id: str, bearer: str, response: Response
) -> IssuedToken:
    """The answer that shows a token, or that says that it was issued before."""
    try:
        position = await issuing
    except AlreadyDone as before:
        response.status_code = status.HTTP_200_OK
        return IssuedToken(id=token_id, position=before.position, repeated=True, token=None)
    return IssuedToken(id=token_id, position=position, token=bearer)


@router.post("/users/{id_}/tokens", status_code=status.HTTP_201_CREATED)
async def issue_token(
    id_: str,
    body: NewToken,
    services: ServicesOf,
    caller: UserOf,
    guard: GuardOf,
    context: ContextOf,
    response: Response,
) -> IssuedToken:
    """Issue a token for a user, never with scopes that the caller's own token lacks.

    Where that one expires it ends no later; who has signed in issues longer ones.
    """
    scopes = [s for s in SCOPES if s in caller.scopes] if body.scopes is None else body.scopes
    people.require_scopes(caller, [scope for scope in scopes if scope in SCOPES])
    token_id, bearer, digest = fresh(context)
    lasts = None if body.expires_in_s is None else timedelta(seconds=body.expires_in_s)
    expires_at = None if lasts is None else context.time + lasts
    new = people.NewToken(token_id, id_, body.label, digest, scopes, expires_at)
    return await issued(
        services.store.run(
            context, lambda session: people.issue_token(session, guard, new, caller.token)
        ),
        token_id,
        bearer,
        response,
    )


@router.post("/tokens/{id_}/revoke")
async def revoke_token(
    id_: str, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Close a token for ever."""
    position = await services.store.run(
        context, lambda session: people.revoke_token(session, guard, id_)
    )
    return Written(id=id_, position=position)
