"""The kinds of entities that policies govern: attributes, columns and actions of each.

Names of attributes are those of the API. Who an entity is shared with lies in its own row or, for
runs and versions, is copied there from the experiment or abstraction that holds them; what changes
about people (groups, roles) lies on the subject.
"""

from collections.abc import Mapping

from policies.schema import Attribute, JsonPath, Schema, Type, column

_STR, _INT, _BOOL, _TIME, _SET = Type.STR, Type.INT, Type.BOOL, Type.TIME, Type.SET

_BASE = {
    "id": column(_STR, "id"),
    "owner": column(_STR, "created_by"),
    "created_at": column(_TIME, "created_at"),
}
_SHARED = {
    "visibility": column(_STR, "visibility"),
    "groups": column(_SET, "groups"),
    "users": column(_SET, "users"),
    "embargo_until": column(_TIME, "embargo_until", nullable=True),
}
_NAMED = {"name": column(_STR, "name"), "archived": column(_BOOL, "archived")}
_PROJECT = {"project": column(_STR, "project")}
_UPDATED = {"updated_at": column(_TIME, "updated_at"), "position": column(_INT, "position")}
_DESCRIBED = {**_UPDATED, "description": column(_STR, "description")}
_TAGS = {"tags": "tags"}

READ = ("read",)
_ENTITY_ACTIONS = ("read", "create", "update", "archive", "share")


def _entity(
    kind: str,
    table: str,
    attributes: Mapping[str, Attribute],
    filters: Mapping[str, Attribute],
    hidden_with: tuple[str, ...],
    maps: Mapping[str, str] = _TAGS,
    fields: tuple[str, ...] = (),
) -> Schema:
    return Schema(kind, table, {**_BASE, **attributes}, filters, maps, hidden_with, fields)


def _abstraction(kind: str) -> Schema:
    return _entity(
        kind,
        "abstraction",
        {**_SHARED, **_NAMED, **_PROJECT},
        {**_DESCRIBED, "versions": column(_INT, "versions")},
        ("id",),
        fields=("latest", "aliases", "expectations"),
    )


RUN = _entity(
    "run",
    "run",
    {
        **_SHARED,
        **_NAMED,
        **_PROJECT,
        "experiment": column(_STR, "experiment"),
        "experiment_owner": column(_STR, "experiment_owner"),
        "executor": column(_STR, "executor"),
        "status": column(_STR, "status"),
    },
    {
        **_DESCRIBED,
        **{name: column(_INT, name) for name in ("attempt", "seed")},
        **{name: column(_TIME, name, nullable=True) for name in ("started_at", "ended_at")},
        **{
            name: column(_STR, name, nullable=True)
            for name in ("node", "backend", "sandbox", "run_group")
        },
        "cancel_requested": column(_BOOL, "cancel_requested"),
        "metric_points": column(_INT, "metric_points", nullable=True),
        "reason": column(_STR, "reason", nullable=True),
    },
    ("id", "experiment"),
    {"metrics": "", "params": "parameters", "tags": "tags", "results": "results"},
    (
        *("parameters", "slots", "datasets", "variables", "resources", "lock", "facts", "logged"),
        "failure",
        *("outputs", "series_root", "notes", "series", "logs", "items"),
    ),
)
VERSION = _entity(
    "version",
    "version",
    {
        **_SHARED,
        **_PROJECT,
        "archived": column(_BOOL, "archived"),
        "kind": column(_STR, "kind"),
        "abstraction": column(_STR, "abstraction"),
        "abstraction_owner": column(_STR, "abstraction_owner"),
        "number": column(_INT, "number"),
        "format": column(_STR, "format", nullable=True),
        "quarantined": column(_BOOL, "quarantined"),
        "deleted": column(_BOOL, "deleted"),
    },
    {
        **_DESCRIBED,
        "size": column(_INT, "size", nullable=True),
        "reproducible": column(_BOOL, "reproducible", nullable=True),
        "bundle": Attribute(_STR, JsonPath("source", ("bundle",)), nullable=True),
        **{
            name: column(_STR, name, nullable=True)
            for name in ("artifact", "quality", "mode", "form")
        },
        **{name: column(_SET, name) for name in ("aliases", "parents", "data")},
    },
    ("id", "abstraction"),
    {"metrics": "metrics", "params": "parameters", "tags": "tags"},
    (
        *("source", "artifacts", "content", "origin", "origin_source", "environment", "card"),
        *("input_schema", "output_schema", "deleted_reason"),
        *("profile", "profile_error", "examples", "checks", "check_examples"),
    ),
)
ALLOCATION = Schema(
    "allocation",
    None,
    {
        "project": column(_STR, "project"),
        "pool": column(_STR, "pool"),
        **{
            name: column(_INT, name)
            for name in ("cpus", "gpus", "memory_mb", "wall_time_s", "priority")
        },
        "network": column(_BOOL, "network", nullable=True),
    },
)
"""What a run asks of the hardware: it exists in the request only."""

NODE = Schema("node", None, {"name": column(_STR, "name")})
"""A machine that executes runs: what it is lies with the nodes, not in the read models."""

SCHEMAS: Mapping[str, Schema] = {
    schema.kind: schema
    for schema in (
        _entity("project", "project", {**_SHARED, **_NAMED}, _DESCRIBED, ("id",)),
        _entity("experiment", "experiment", {**_SHARED, **_NAMED, **_PROJECT}, _DESCRIBED, ("id",)),
        _abstraction("executor"),
        _abstraction("model"),
        _abstraction("loader"),
        _abstraction("dataset"),
        _entity(
            "secret",
            "secret",
            {**_SHARED, **_NAMED, **_PROJECT, "deleted": column(_BOOL, "deleted")},
            {**_DESCRIBED, "number": column(_INT, "number")},
            ("id",),
        ),
        RUN,
        VERSION,
        ALLOCATION,
        NODE,
        _entity(
            "user",
            "account",
            {
                "active": column(_BOOL, "enabled"),
                "admin": column(_BOOL, "admin"),
                "service": column(_BOOL, "service"),
                "groups": column(_SET, "groups"),
                "projects": column(_SET, "viewer_of"),
            },
            {**_UPDATED, "erased": column(_BOOL, "erased")},
            ("id",),
            {"attributes": "attributes"},
            ("name", "mail", "roles"),
        ),
        _entity("group", "user_group", _NAMED, _DESCRIBED, ("id",), fields=("roles",)),
        _entity(
            "token",
            "token",
            {"account": column(_STR, "account"), "revoked": column(_BOOL, "revoked")},
            _UPDATED,
            ("id",),
            {},
        ),
        _entity(
            "invitation",
            "invitation",
            {
                "project": column(_STR, "project", nullable=True),
                "group": column(_STR, "group", nullable=True),
                "revoked": column(_BOOL, "revoked"),
            },
            _UPDATED,
            ("id",),
            {},
        ),
        _entity("policy", "policy", {"name": column(_STR, "name")}, _UPDATED, ("id",), {}),
        _entity(
            "decision",
            "decision",
            {
                "subject": column(_STR, "subject"),
                "kind": column(_STR, "kind"),
                "entity": column(_STR, "entity"),
                "action": column(_STR, "action"),
                "permitted": column(_BOOL, "permitted"),
            },
            {**_UPDATED, "rule": column(_STR, "rule", nullable=True)},
            ("id",),
            {},
            ("policy", "policy_set", "detail"),
        ),
    )
}
"""By kind."""

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "project": (*_ENTITY_ACTIONS, "manage"),
    "experiment": _ENTITY_ACTIONS,
    **dict.fromkeys(
        ("executor", "model", "loader", "dataset"),
        (*_ENTITY_ACTIONS, "publish", "use", "quarantine"),
    ),
    "secret": (*_ENTITY_ACTIONS, "use", "delete"),
    "run": ("read", "create", "update", "archive", "cancel", "note"),
    "version": ("read", "archive", "use", "update", "delete", "hold", "quarantine"),
    "allocation": ("allocate",),
    "node": ("read", "admit"),
    "user": ("read", "create", "update", "issue_token", "set_password"),
    "group": ("read", "create", "update", "archive", "manage", "limit"),
    "token": ("read", "revoke"),
    "invitation": ("read", "create", "revoke"),
    "policy": ("read", "propose", "approve", "activate", "retire"),
    "decision": READ,
}
"""What can be done to each kind."""
