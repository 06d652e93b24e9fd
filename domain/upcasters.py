"""How events written under an old topic read today.

A published topic never changes its meaning. A new shape is a new topic, and an entry here that
turns the old data into the new: `{"run.requested.v1": to_v2}`, where `to_v2(data)` answers the new
topic and its data. Commands and projections both go through this table.
"""

from collections.abc import Callable
from typing import Any

from domain.signatures.first_format import translated

Upcaster = Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]


def _registered_v2(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Whoever was registered before there were service accounts is a person."""
    return "user.registered.v2", {**data, "service": False}


def _issued_v2(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Tokens from before there were scopes open everything, for ever."""
    more = {"scopes": ["read", "write", "admin"], "expires_at": None, "purpose": "api"}
    return "token.issued.v2", {**data, **more}


def _requested_v2(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Runs from before there were datasets read none."""
    return "run.requested.v2", {**data, "datasets": {}}


def _requested_v3(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What was kept before there was a choice became a version of the same model; each run was
    asked for alone.
    """
    slots = {
        slot: {**filled, "keep": "version" if filled["keep"] else "none", "name": None}
        for slot, filled in data["slots"].items()
    }
    return "run.requested.v3", {**data, "slots": slots, "run_group": None}


def _requested_v4(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Before there were variables a step had those of the platform only."""
    return "run.requested.v4", {**data, "variables": {}}


def _requested_v5(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Before there were pools and groups, everything ran in the default pool for who asked."""
    claim = {"pool": "default", "priority": 0, "group": None}
    return "run.requested.v5", {**data, "claim": claim}


def _requested_v6(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Before methods of parts could be given values, none was."""
    slots = {slot: {**filled, "methods": {}} for slot, filled in data["slots"].items()}
    return "run.requested.v6", {**data, "slots": slots}


def _requested_v7(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Before there were secrets a run named none."""
    return "run.requested.v7", {**data, "secrets": {}}


def _admitted_v2(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Before there were limits, room was given to whoever came first."""
    return "run.admitted.v2", {**data, "grounds": {}}


def _published_v2(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Versions from before there were artifacts have code and single files only."""
    return "version.published.v2", {**data, "content": None, "details": {}}


def _published_v3(data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Signatures from before types were read hold names only."""
    source = data["source"]
    if source is not None:
        source = {**source, "signature": translated(source["signature"])}
    return "version.published.v3", {**data, "source": source}


UPCASTERS: dict[str, Upcaster] = {
    "run.admitted.v1": _admitted_v2,
    "run.requested.v1": _requested_v2,
    "run.requested.v2": _requested_v3,
    "run.requested.v3": _requested_v4,
    "run.requested.v4": _requested_v5,
    "run.requested.v5": _requested_v6,
    "run.requested.v6": _requested_v7,
    "token.issued.v1": _issued_v2,
    "user.registered.v1": _registered_v2,
    "version.published.v1": _published_v2,
    "version.published.v2": _published_v3,
}
