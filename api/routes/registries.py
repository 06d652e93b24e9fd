"""Projects, experiments, executors, models and dataset loaders."""

from functools import cache

from fastapi import APIRouter

from api.routes.bodies import NewEntity, NewInProject
from api.routes.compatibility import add_difference, add_executors, add_slots
from api.routes.entities import read_routes, write_routes
from api.routes.publishing import NewCode, NewModel, NewPublication, version_routes
from domain.abstraction import Abstraction
from domain.experiment import Experiment
from domain.project import DEFAULT_PROJECT, Project
from projections import catalogue
from projections.page import Registry


@cache
def routers() -> tuple[APIRouter, ...]:
    """All of them; they hold nothing of a platform, so each process makes them once."""
    return (
        _projects(),
        _experiments(),
        _executors(),
        _parts("models", "model", catalogue.MODELS, NewModel),
        _parts("dataset-loaders", "loader", catalogue.LOADERS, NewCode),
    )


def _executors() -> APIRouter:
    router = abstractions("executors", "executor", catalogue.EXECUTORS, NewCode)
    add_slots(router)
    add_difference(router, catalogue.EXECUTORS)
    return router


def _parts(path: str, kind: str, registry: Registry, new: type[NewPublication]) -> APIRouter:
    """What fills slots of executors."""
    router = abstractions(path, kind, registry, new)
    add_executors(router, registry)
    add_difference(router, registry)
    return router


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


def abstractions(path: str, kind: str, registry: Registry, new: type[NewPublication]) -> APIRouter:
    """The routes of a kind of abstraction; `new` is the body that publishes a version of it."""
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
    version_routes(router, kind, registry, new)
    return router
