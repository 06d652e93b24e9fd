"""Attributes of users and groups: what administrators say about them, and policies ask for."""

import json
import re
from typing import Any

from domain.errors import Invalid
from domain.plain_data import flaw
from domain.scheduling.limits import flaw_of_limit

MAX_ATTRIBUTES = 64
RESERVED = frozenset(
    {
        *("id", "groups", "active", "service", "scopes"),
        *("viewer_of", "contributor_of", "manager_of"),
        *("owner", "created_at", "projects", "position", "updated_at", "enabled", "name", "mail"),
    }
)
"""Names under which policies and filters see something else of a user."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def checked_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """At most 64 attributes: text, whole numbers, true or false, lists of text. Raises Invalid."""
    if len(attributes) > MAX_ATTRIBUTES:
        raise Invalid(f"{len(attributes)} attributes, at most {MAX_ATTRIBUTES}", field="attributes")
    for name, value in attributes.items():
        _check_name(name)
        what = _flaw_of_value(value) or flaw_of_limit(name, value)
        if not what and name == "admin" and not isinstance(value, bool):
            what = "is neither true nor false"
        if what:
            raise Invalid(f"attributes.{name} {what}", field=f"attributes.{name}")
    return attributes


def are_same(attributes: dict[str, Any], others: dict[str, Any]) -> bool:
    """Whether both say the same; 1 and true are two things here."""
    return json.dumps(attributes, sort_keys=True) == json.dumps(others, sort_keys=True)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"attributes cannot be named {name!r}: a lower-case letter, then a-z, 0-9 and _",
            field="attributes",
        )
    if name in RESERVED:
        raise Invalid(f"attributes.{name} means something else to policies", field="attributes")


def _flaw_of_value(value: Any) -> str | None:
    match value:
        case bool() | int() | str():
            found = flaw(value)
        case list() if all(isinstance(item, str) for item in value):
            found = flaw(value)
        case _:
            return "is neither text, a whole number, true or false, nor a list of text"
    return found[1] if found else None
