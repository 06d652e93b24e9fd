"""Where parameters of a run name secrets: `{"secret": NAME}` in place of a text that is secret.

A form says by `format: secret` where a secret belongs; only there a reference is one. Places are
JSON pointers (RFC 6901) such as `/parameters/token` and `/slots/model/parameters/token`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from domain.errors import Invalid
from domain.text import MAX_NAME, checked_id

MAX_SECRETS = 100
"""Places of a run that name secrets."""
MAX_TOTAL_BYTES = 32 * 1024
"""Of the values that one step is given."""

_KEY = "secret"
_REFERENCE = {
    "type": "object",
    "properties": {_KEY: {"type": "string", "minLength": 1, "maxLength": MAX_NAME}},
    "required": [_KEY],
    "additionalProperties": False,
}
_LISTS = ("anyOf", "prefixItems")
_SCHEMAS = ("items", "additionalProperties")


def named_secret(value: Any) -> str | None:
    """The name in `{"secret": NAME}`; None for anything else."""
    name = value.get(_KEY) if isinstance(value, Mapping) and len(value) == 1 else None
    return name if isinstance(name, str) and 0 < len(name) <= MAX_NAME else None


def takes_secret(schema: Any) -> bool:
    """Whether a secret belongs anywhere into what the schema describes."""
    return isinstance(schema, Mapping) and (
        _is_secret(schema) or any(takes_secret(each) for each in _inner(schema))
    )


def with_references(schema: Any) -> Any:
    """The schema of what a run is asked for with: a reference wherever a secret belongs."""
    if not isinstance(schema, Mapping):
        return schema
    if _is_secret(schema):
        return _REFERENCE
    found = dict(schema)
    if isinstance(properties := schema.get("properties"), Mapping):
        found["properties"] = {name: with_references(each) for name, each in properties.items()}
    for word in _LISTS:
        if isinstance(members := schema.get(word), list):
            found[word] = [with_references(each) for each in members]
    for word in _SCHEMAS:
        if word in schema:
            found[word] = with_references(schema[word])
    return found


def references(schema: Any, value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Place and name of each secret that a value names, `place` being that of the value."""
    if not isinstance(schema, Mapping):
        return
    name = named_secret(value)
    if name is not None and _is_secret(schema):
        yield place, name
    for branch in schema.get("anyOf", []):
        yield from references(branch, value, place)
    if isinstance(value, Mapping):
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties")
        for key, each in value.items():
            yield from references(properties.get(key, others), each, joined(place, key))
    elif isinstance(value, list):
        first, others = schema.get("prefixItems", []), schema.get("items")
        for number, each in enumerate(value):
            inner = first[number] if number < len(first) else others
            yield from references(inner, each, joined(place, str(number)))


def joined(place: str, *keys: str) -> str:
    """The pointer to what is under a key of what is at a place."""
    escaped = (key.replace("~", "~0").replace("/", "~1") for key in keys)
    return "/".join((place, *escaped))


def checked_secrets(secrets: Mapping[str, str]) -> dict[str, str]:
    """Ids of secrets by the places that name them, at most 100. Raises Invalid."""
    if len(secrets) > MAX_SECRETS:
        detail = f"{len(secrets)} places name secrets, at most {MAX_SECRETS}"
        raise Invalid(detail, field="secrets")
    return {place: checked_id(id_, "secret") for place, id_ in secrets.items()}


def _is_secret(schema: Mapping[str, Any]) -> bool:
    return schema.get("format") == "secret"


def _inner(schema: Mapping[str, Any]) -> Iterator[Any]:
    properties = schema.get("properties")
    yield from properties.values() if isinstance(properties, Mapping) else ()
    for word in _LISTS:
        members = schema.get(word)
        yield from members if isinstance(members, list) else ()
    yield from (schema.get(word) for word in _SCHEMAS)
