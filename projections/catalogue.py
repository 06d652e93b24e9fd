"""The registries that can be listed, and the columns of each."""

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
    "position",
)
_SHARING = ("visibility", "groups", "users", "embargo_until")
_BARE = ("id", "created_by", "created_at", "updated_at", "position")

PROJECTS = Registry("project", "project", (*_ENTITY, *_SHARING), ("name",))
EXPERIMENTS = Registry(
    "experiment", "experiment", (*_ENTITY, *_SHARING, "project"), ("project", "name")
)
RUNS = Registry(
    "run",
    "run",
    (
        *(*_ENTITY, *_SHARING, "project", "experiment", "executor", "parameters", "slots"),
        *(
            "datasets",
            "variables",
            "resources",
            "seed",
            "run_group",
            "status",
            "attempt",
            "cancel_requested",
            "backend",
            "node",
        ),
        *("sandbox", "reason", "results", "logged", "metric_points", "started_at", "ended_at"),
    ),
    ("project", "experiment", "status", "executor", "name", "owner", "run_group"),
)
VERSIONS = Registry(
    "version",
    "version",
    (
        *(*_BARE, *_SHARING, "abstraction", "kind", "project", "number", "source", "artifacts"),
        *("origin", "archived", "content", "artifact", "format", "size", "quarantined"),
        *("description", "tags", "aliases", "metrics", "parameters", "parents", "data"),
        *("mode", "form", "reproducible", "quality", "profile_error", "deleted"),
        "deleted_reason",
    ),
    ("abstraction", "project", "kind", "format", "quality", "artifact"),
)
CANDIDATES = Registry(
    "version",
    "version",
    (
        *("id", "abstraction", "kind", "project", "number", "description", "tags", "aliases"),
        *("metrics", "created_by", "created_at", "position", "offer"),
    ),
)
USERS = Registry(
    "user",
    "account",
    (*_BARE, "profile", "attributes", "enabled", "admin", "service", "groups", "erased"),
    archivable=False,
)
QUEUE = Registry(
    "run",
    "run",
    (*_ENTITY, "project", "experiment", "executor", "status", "attempt", "resources"),
    ("project", "experiment", "owner"),
    sort="created_at",
)
"""Of runs, what matters while they wait."""
SECRETS = Registry(
    "secret",
    "secret",
    (*_ENTITY, *_SHARING, "project", "number", "deleted"),
    ("project", "name"),
)
GROUPS = Registry("group", "user_group", (*_ENTITY, "roles"), ("name",))
TOKENS = Registry(
    "token",
    "token",
    (*_BARE, "account", "label", "scopes", "purpose", "expires_at", "revoked"),
    ("account",),
    archivable=False,
)
INVITATIONS = Registry(
    "invitation",
    "invitation",
    (*_BARE, "project", "role", "group", "expires_at", "uses", "accepted", "revoked", "note"),
    archivable=False,
)
POLICIES = Registry(
    "policy",
    "policy",
    (*_BARE, "name", "active", "active_digest", "proposals"),
    sort="name",
    archivable=False,
)
DECISIONS = Registry(
    "decision",
    "decision",
    (*_BARE, "subject", "kind", "entity", "action", "permitted", "rule", "policy", "policy_set"),
    ("subject", "entity", "action"),
    archivable=False,
)


def _abstractions(kind: str) -> Registry:
    return Registry(
        kind,
        "abstraction",
        (*_ENTITY, *_SHARING, "kind", "project", "versions", "latest", "aliases"),
        ("project", "name"),
        fixed={"kind": kind},
    )


EXECUTORS = _abstractions("executor")
MODELS = _abstractions("model")
LOADERS = _abstractions("loader")
DATASETS = _abstractions("dataset")
