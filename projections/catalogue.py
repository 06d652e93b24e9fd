"""The registries that can be listed, and the columns, filters and sorts of each."""

from projections.page import Registry

_ENTITY = (
    "id",
    "name",
    "description",
    "tags",
    "archived",
    "created_by",
    "created_at",
    "updated_at",
)

PROJECTS = Registry("project", (*_ENTITY, "position"), {"name": "name"})
EXPERIMENTS = Registry(
    "experiment", (*_ENTITY, "project", "position"), {"project": "project", "name": "name"}
)
RUNS = Registry(
    "run",
    (
        *(*_ENTITY, "project", "experiment", "executor", "parameters", "slots", "resources"),
        *("seed", "status", "attempt", "cancel_requested", "backend", "node", "sandbox", "reason"),
        *("results", "logged", "metric_points", "started_at", "ended_at", "position"),
    ),
    {
        "project": "project",
        "experiment": "experiment",
        "status": "status",
        "executor": "executor",
        "name": "name",
        "created_by": "created_by",
    },
    sorts=("created_at", "updated_at", "name", "status"),
)
VERSIONS = Registry(
    "version",
    (
        *("id", "abstraction", "kind", "project", "number", "source", "artifacts", "origin"),
        *("archived", "created_by", "created_at", "updated_at", "position"),
    ),
    {"abstraction": "abstraction", "project": "project", "kind": "kind"},
    sorts=("created_at", "number"),
)
USERS = Registry(
    "account",
    ("id", "attributes", "enabled", "created_by", "created_at", "updated_at", "position"),
    {},
    sorts=("created_at",),
    archivable=False,
)


def _abstractions(kind: str) -> Registry:
    return Registry(
        "abstraction",
        (*_ENTITY, "kind", "project", "versions", "latest", "position"),
        {"project": "project", "name": "name"},
        fixed={"kind": kind},
    )


EXECUTORS = _abstractions("executor")
MODELS = _abstractions("model")
LOADERS = _abstractions("loader")
