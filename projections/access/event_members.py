"""Which field of an entity a member of its events tells of, so that masks cover events too."""

from collections.abc import Iterable, Mapping
from typing import Any

from policies.kinds import SCHEMAS

_ABSTRACTION = {
    "until": "embargo_until",
    "number": "versions",
    "version_id": "latest",
    "text": "expectations",
}
_VERSION = {
    **dict.fromkeys(("expectations", "passed", "blocking"), "quality"),
    "results": "checks",
    "error": "profile_error",
    "reason": "deleted_reason",
}
_ROLES = {"project": "roles", "role": "roles"}
_OTHERWISE: Mapping[str, Mapping[str, str]] = {
    "project": {"until": "embargo_until"},
    "experiment": {"until": "embargo_until"},
    "secret": {"until": "embargo_until"},
    **dict.fromkeys(("executor", "model", "loader", "dataset"), _ABSTRACTION),
    "version": _VERSION,
    "run": {"note": "notes"},
    "user": {**_ROLES, "group": "groups"},
    "group": _ROLES,
    "decision": {"env": "detail", "object": "detail", "policies": "detail"},
}
"""Members that are not called like the field they change."""

_HOLDING = ("details", "changes")  # of a version: members whose own members are fields

UNKNOWN = "?"


def fields_of(kind: str, members: Iterable[str]) -> frozenset[str]:
    """The fields that these members tell of; `?` for one that belongs to none."""
    known = SCHEMAS[kind].maskable
    other = _OTHERWISE.get(kind, {})
    fields = (other.get(member, member) for member in members)
    return frozenset(field if field in known else UNKNOWN for field in fields)


def shown_members(kind: str, data: Mapping[str, Any], masked: frozenset[str]) -> dict[str, Any]:
    """The members that may be shown: where anything is masked, also nothing of unknown meaning."""
    if not masked:
        return dict(data)
    hidden = masked | {UNKNOWN}
    shown = {k: v for k, v in data.items() if hidden.isdisjoint(fields_of(kind, [k]))}
    if kind == "version":
        holding = {k: data[k] for k in _HOLDING if k in data}
        shown |= {k: shown_members(kind, v, masked) for k, v in holding.items()}
    return shown
