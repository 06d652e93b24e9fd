"""Secrets: set, rotate, delete, share and list. No route answers a value."""

from typing import Annotated

from fastapi import APIRouter, status
from pydantic import Field, SecretStr

from api.access.guard import missing
from api.commands import secrets
from api.dependencies import ContextOf, GuardOf, ServicesOf, creation_id
from api.routes.bodies import Body, NewInProject, Written
from api.routes.entities import change_routes, read_routes, share_routes
from domain.project import DEFAULT_PROJECT
from domain.secret import MAX_VALUE_BYTES, MIN_VALUE_CHARS, Secret
from domain.text import kind_of
from projections import catalogue

router = APIRouter(prefix="/secrets", tags=["secrets"])
read_routes(router, catalogue.SECRETS)

Value = Annotated[
    SecretStr,
    Field(
        description=f"text of at least {MIN_VALUE_CHARS} characters and at most "
        f"{MAX_VALUE_BYTES} bytes; kept sealed, and never answered"
    ),
]


class NewSecretBody(NewInProject):
    """A secret to set."""

    value: Value


class NewValue(Body):
    """Another value for a secret."""

    value: Value


@router.post("", status_code=status.HTTP_201_CREATED)
async def create(
    body: NewSecretBody, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Set a secret under a name that nothing you can see has in its project."""
    asked = secrets.NewSecret(
        id=creation_id("secret", body.id, context),
        project=body.project or DEFAULT_PROJECT,
        name=body.name,
        description=body.description,
        value=body.value.get_secret_value(),
    )
    services.check_space()
    position = await services.store.run(
        context, lambda session: secrets.create(session, guard, services.vault, asked)
    )
    return Written(id=asked.id, position=position)


@router.put("/{id_}/value")
async def rotate(
    id_: str, body: NewValue, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Give it another value. Attempts that have started keep the one they got."""
    _check_kind(id_)
    services.check_space()
    value = body.value.get_secret_value()
    position, before = await services.store.run(
        context, lambda session: secrets.rotate(session, guard, services.vault, id_, value)
    )
    await services.vault.erase(id_, before)
    return Written(id=id_, position=position)


@router.delete("/{id_}")
async def delete(id_: str, services: ServicesOf, guard: GuardOf, context: ContextOf) -> Written:
    """Destroy its value. Its name is free again; runs that name it fail when they start."""
    _check_kind(id_)
    position, key = await services.store.run(
        context, lambda session: secrets.delete(session, guard, id_)
    )
    await services.vault.erase(id_, key)
    return Written(id=id_, position=position)


change_routes(router, Secret, "secret")
share_routes(router, Secret, "secret")


def _check_kind(id_: str) -> None:
    if kind_of(id_) != "secret":
        raise missing(id_)
