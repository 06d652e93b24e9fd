"""Versions of everything: read, annotate, delete, and how long their bytes must stay."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field

from api.access.guard import Guard, missing
from api.commands import version_changes
from api.commands.entities import act
from api.dependencies import (
    ContextOf,
    GuardOf,
    ReadOf,
    ServicesOf,
    answer_one,
    permit_of,
)
from api.routes.bodies import Because, Body, Tags, Written
from api.routes.entities import archive_routes, list_routes
from api.services import Services
from domain.aggregate import Context
from domain.artifact import Artifact
from domain.text import kind_of
from domain.version import Version
from policies.access import Permit
from projections import catalogue
from projections.version_holds import hold_of

router = APIRouter(prefix="/versions", tags=["versions"])
list_routes(router, catalogue.VERSIONS)
archive_routes(router, Version, "version")


def version_id(id_: str) -> str:
    """The id in the path, if it is a version's. Raises NotFound."""
    if kind_of(id_) != "version":
        raise missing(id_)
    return id_


VersionId = Annotated[str, Depends(version_id)]


class Annotations(Body):
    """What may be said anew of a version: each member whole; what is left out stays."""

    description: str = ""
    tags: Tags = {}
    card: str = ""
    metrics: dict[str, int | float] = {}
    parameters: dict[str, Any] = {}


class Retention(Body):
    """Until when the bytes must stay; a time can be moved on, and not back."""

    until: Annotated[datetime | None, Field(strict=False)]  # JSON has no times


class Deleted(Written):
    """A deleted version, and the bytes that the store regains."""

    freed_bytes: int


@router.get("/{id_}")
def read(
    permit: Annotated[Permit, Depends(permit_of(catalogue.VERSIONS))], connection: ReadOf
) -> dict[str, Any]:
    """The whole version; `hold` says why its bytes must stay, `retained_until` how long at least.

    Both are empty where `content` is masked.
    """
    version = answer_one(connection, catalogue.VERSIONS, permit)
    return {**version, **hold_of(connection, permit)}


@router.patch("/{id_}")
async def annotate(
    id_: VersionId, body: Annotations, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Say something else of it; its content stays what it is."""
    changes = body.model_dump(exclude_unset=True)
    position = await services.store.run(
        context,
        lambda session: act(
            session, guard, Version, id_, "update", lambda version: version.annotate(changes)
        ),
    )
    return Written(id=id_, position=position)


@router.delete("/{id_}")
async def delete(
    id_: VersionId, body: Because, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Deleted:
    """Give its bytes up. Its number, and what is known of it, stay."""
    position, freed = await version_changes.delete(services, context, guard, id_, body.reason)
    return Deleted(id=id_, position=position, freed_bytes=freed)


@router.put("/{id_}/hold")
async def hold(
    id_: VersionId, body: Because, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Keep its bytes until the hold is released."""
    return await _keep(services, context, guard, id_, lambda bytes_: bytes_.hold(body.reason))


@router.delete("/{id_}/hold")
async def release(
    id_: VersionId, body: Because, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """End the hold."""
    return await _keep(services, context, guard, id_, lambda bytes_: bytes_.release(body.reason))


@router.put("/{id_}/retention")
async def retain(
    id_: VersionId, body: Retention, services: ServicesOf, guard: GuardOf, context: ContextOf
) -> Written:
    """Keep its bytes at least until a time, which cannot be taken back."""
    return await _keep(services, context, guard, id_, lambda bytes_: bytes_.retain(body.until))


async def _keep(
    services: Services,
    context: Context,
    guard: Guard,
    id_: str,
    change: Callable[[Artifact], None],
) -> Written:
    """Change how long the version's bytes stay."""
    position = await services.store.run(
        context, lambda session: version_changes.keep(session, guard, id_, change)
    )
    return Written(id=id_, position=position)
