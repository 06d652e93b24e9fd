"""Projects, experiments and the three kinds of abstractions with their versions."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, status
from pydantic import Field

from api.access.guard import missing
from api.commands import versions
from api.commands.files import require_bundle
from api.dependencies import (
    AccessOf,
    ContextOf,
    FreshGuardOf,
    GuardOf,
    ReadOf,
    ServicesOf,
    UserOf,
    answer_page,
    creation_id,
    permit_of,
)
from api.routes.bodies import Body, Id, NewEntity, NewInProject, PageOf, Written
from api.routes.entities import archive_routes, read_routes, write_routes
from domain.abstraction import Abstraction, Version
from domain.experiment import Experiment
from domain.project import DEFAULT_PROJECT, Project
from domain.text import kind_of
from policies.access import Permit
from projections import catalogue
from projections.page import PageRequest, Registry


class NewVersion(Body):
    """A version of an abstraction: the digest of an uploaded bundle."""

    id: Id | None = None
    bundle: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="digest of a bundle")]
    receipt: str | None = Field(
        None, description="of one's own upload; without it the bundle must be of a version one sees"
    )


class WrittenVersion(Written):
    """A version and the number it got."""

    number: int | None = None


def routers() -> list[APIRouter]:
    """All of them."""
    return [
        _projects(),
        _experiments(),
        _abstractions("executors", "executor", catalogue.EXECUTORS),
        _abstractions("models", "model", catalogue.MODELS),
        _abstractions("dataset-loaders", "loader", catalogue.LOADERS),
        _versions(),
    ]


def _projects() -> APIRouter:
    router = APIRouter(prefix="/projects", tags=["projects"])
    read_routes(router, catalogue.PROJECTS)
    write_routes(
        router,
        "project",
        Project,
        NewEntity,
        lambda id_, body: Project.create(id_, body.name, body.description),
    )
    return router


def _experiments() -> APIRouter:
    router = APIRouter(prefix="/experiments", tags=["experiments"])
    read_routes(router, catalogue.EXPERIMENTS)
    write_routes(
        router,
        "experiment",
        Experiment,
        NewInProject,
        lambda id_, body: Experiment.create(
            id_, body.project or DEFAULT_PROJECT, body.name, body.description
        ),
    )
    return router


def _abstractions(path: str, kind: str, registry: Registry) -> APIRouter:
    router = APIRouter(prefix=f"/{path}", tags=[path])
    read_routes(router, registry)
    write_routes(
        router,
        kind,
        Abstraction,
        NewInProject,
        lambda id_, body: Abstraction.register(
            id_, body.project or DEFAULT_PROJECT, body.name, body.description
        ),
    )

    _publishing(router, kind)
    _listing_versions(router, kind, registry)
    return router


def _publishing(router: APIRouter, kind: str) -> None:
    @router.post("/{id_}/versions", status_code=status.HTTP_201_CREATED)
    async def publish(
        id_: str,
        body: NewVersion,
        services: ServicesOf,
        caller: UserOf,
        guard: GuardOf,
        guard_again: FreshGuardOf,
        context: ContextOf,
    ) -> WrittenVersion:
        """Make an uploaded bundle the next version; its requirements are locked here."""
        if kind_of(id_) != kind:
            raise missing(id_)
        await services.store.run(context, lambda s: guard.load(s, Abstraction, id_, "publish"))
        await require_bundle(services, caller, context, body.bundle, body.receipt)
        source = await versions.read_source(services.files, services.locks, body.bundle, kind)
        version_id = creation_id("version", body.id, context)
        now = await guard_again()  # locking may have taken minutes
        number, position = await services.store.run(
            context, lambda session: versions.publish(session, now, id_, version_id, source)
        )
        return WrittenVersion(id=version_id, number=number, position=position)


def _listing_versions(router: APIRouter, kind: str, registry: Registry) -> None:
    @router.get("/{id_}/versions", response_model=PageOf, response_model_exclude_unset=True)
    def list_versions(
        services: ServicesOf,
        permit: Annotated[Permit, Depends(permit_of(registry))],
        access: AccessOf,
        connection: ReadOf,
        limit: int = 50,
        cursor: str | None = None,
        archived: bool = False,
    ) -> dict[str, Any]:
        """The versions of one abstraction, newest first."""
        where = {"abstraction": permit.entity, "kind": kind}
        request = PageRequest(limit, cursor, "-number", archived, where=where)
        return answer_page(services, connection, catalogue.VERSIONS, request, access)


def _versions() -> APIRouter:
    router = APIRouter(prefix="/versions", tags=["versions"])
    read_routes(router, catalogue.VERSIONS)
    archive_routes(router, Version, "version")
    return router
