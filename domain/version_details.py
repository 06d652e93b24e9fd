"""What a version says of itself besides its code and bytes, and the limits of it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from domain.errors import Invalid
from domain.plain_data import checked_json, holds_text
from domain.text import checked_id, checked_tags, checked_text

MAX_DETAILS_BYTES = 256 * 1024
MAX_CARD_BYTES = 64 * 1024
MAX_ENTRIES = 1000  # of metrics
MAX_LINKS = 100  # parents, or data
MAX_KEY = 128

ANNOTATIONS: Mapping[str, Any] = {
    "description": "",
    "tags": {},
    "card": "",
    "metrics": {},
    "parameters": {},
}
"""Details that can change later, with what they are where nothing was said."""


def checked_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details without those that are None, at most 256 KiB as JSON. Raises Invalid."""
    found = {name: value for name, value in details.items() if value is not None}
    for name, value in found.items():
        if name not in _CHECKS:
            known = ", ".join(_CHECKS)
            raise Invalid(f"`{name}` is no detail; there are {known}", field=f"details.{name}")
        _CHECKS[name](checked_json(value, name), name)
    return checked_size(found, "details", MAX_DETAILS_BYTES)


def checked_changes(details: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes that make a difference to the details. Raises Invalid."""
    for name, value in changes.items():
        if name not in ANNOTATIONS:
            raise Invalid(f"`{name}` cannot be changed; {', '.join(ANNOTATIONS)} can", field=name)
        if value is None:
            raise Invalid(f"`{name}` cannot be null: empty it instead", field=name)
    checked_details({**details, **changes})
    return {
        name: value
        for name, value in changes.items()
        if _as_json(value) != _as_json(details.get(name, ANNOTATIONS[name]))
    }


def checked_size(value: dict[str, Any], field: str, most: int) -> dict[str, Any]:
    """A JSON object of at most so many bytes. Raises Invalid."""
    size = len(_as_json(checked_json(value, field)).encode())
    if size > most:
        raise Invalid(f"`{field}` has {size} bytes as JSON, at most {most}", field=field)
    return value


def checked_long_text(text: Any, field: str, most: int) -> str:
    """Text of at most so many bytes in UTF-8. Raises Invalid."""
    if not isinstance(text, str) or not holds_text(text):
        raise Invalid(f"`{field}` is text without NUL and half characters", field=field)
    if (size := len(text.encode())) > most:
        raise Invalid(f"`{field}` has {size} bytes, at most {most}", field=field)
    return text


def _as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _check_description(value: Any, field: str) -> None:
    checked_text(_of_type(value, str, field, "text"), field)


def _check_tags(value: Any, field: str) -> None:
    tags: dict[Any, Any] = _of_type(value, dict, field, "an object")
    if not all(isinstance(tag, str) for tag in tags.values()):
        raise Invalid("the values of tags are text", field=field)
    checked_tags(tags)


def _check_card(value: Any, field: str) -> None:
    checked_long_text(value, field, MAX_CARD_BYTES)


def _check_metrics(value: Any, field: str) -> None:
    metrics: dict[str, Any] = _of_type(value, dict, field, "an object")
    if len(metrics) > MAX_ENTRIES:
        raise Invalid(f"{len(metrics)} metrics, at most {MAX_ENTRIES}", field=field)
    for key, number in metrics.items():
        if not 0 < len(key) <= MAX_KEY:
            raise Invalid(f"the name of a metric has 1 to {MAX_KEY} characters", field=field)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise Invalid(f"{field}.{key} is not a number", field=f"{field}.{key}")


def _check_object(value: Any, field: str) -> None:
    _of_type(value, dict, field, "an object")


def _check_anything(value: Any, field: str) -> None:
    """JSON, which it is known to be."""


def _check_versions(value: Any, field: str) -> None:
    ids: list[Any] = _of_type(value, list, field, "a list of ids of versions")
    if len(ids) > MAX_LINKS or len({*map(str, ids)}) < len(ids):
        raise Invalid(f"`{field}` names at most {MAX_LINKS} versions, each once", field=field)
    for id_ in ids:
        checked_id(_of_type(id_, str, field, "a list of ids of versions"), "version")


def _check_truth(value: Any, field: str) -> None:
    _of_type(value, bool, field, "true or false")


def _one_of(*known: str) -> Callable[[Any, str], None]:
    def check(value: Any, field: str) -> None:
        if value not in known:
            raise Invalid(f"`{field}` is one of {', '.join(known)}", field=field)

    return check


def _of_type(value: Any, type_: type, field: str, wanted: str) -> Any:
    if not isinstance(value, type_):
        raise Invalid(f"`{field}` is {wanted}", field=field)
    return value


_CHECKS: Mapping[str, Callable[[Any, str], None]] = {
    "description": _check_description,
    "tags": _check_tags,
    "card": _check_card,
    "metrics": _check_metrics,
    "parameters": _check_object,
    "input_schema": _check_object,
    "output_schema": _check_object,
    "environment": _check_anything,
    "parents": _check_versions,
    "data": _check_versions,
    "origin_source": _check_anything,
    "mode": _one_of("copy", "reference"),
    "reproducible": _check_truth,
    "form": _one_of("files", "table"),
}
