"""JSON that the record and every read model can hold, and what to do with anything else.

Text has no NUL and no half of a surrogate pair, whole numbers fit 64 bits, others are finite.
"""

import math
from typing import Any, TypeVar

from domain.errors import Invalid

J = TypeVar("J")

MAX_DEPTH = 64
_LEAST, _MOST = -(2**63), 2**63 - 1
_INSTEAD = "\N{REPLACEMENT CHARACTER}"


def checked_json(value: J, field: str) -> J:
    """The value, if it can be held. Raises Invalid with the place and what is wrong."""
    found = flaw(value)
    if found is not None:
        where, what = found
        raise Invalid(f"{field}{where} {what}", field=f"{field}{where}")
    return value


def flaw(value: Any, depth: int = 0) -> tuple[str, str] | None:
    """The place of the first thing that cannot be held, and what it is; None if there is none."""
    if depth > MAX_DEPTH:
        return "", f"is nested deeper than {MAX_DEPTH} levels"
    if isinstance(value, dict):
        return _flaw_of_keys(value) or _flaw_within(value.items(), depth)
    if isinstance(value, list):
        return _flaw_within(enumerate(value), depth)
    what = _flaw_of_leaf(value)
    return ("", what) if what else None


def storable(value: Any, depth: int = 0) -> Any:
    """The value with everything that cannot be held replaced by text as close as can be."""
    if depth > MAX_DEPTH:
        return _INSTEAD
    if isinstance(value, dict):
        return {storable(key): storable(member, depth + 1) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [storable(member, depth + 1) for member in value]
    if isinstance(value, str):
        text = value.encode(errors="surrogatepass").decode(errors="replace")
        return text.replace("\0", _INSTEAD)
    return str(value) if _flaw_of_leaf(value) else value


def holds_text(text: str) -> bool:
    """Whether the text can be held."""
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _flaw_of_keys(value: dict[Any, Any]) -> tuple[str, str] | None:
    for key in value:
        if not isinstance(key, str) or not holds_text(key):
            return "", f"has the key {key!r}, which is no text that can be stored"
    return None


def _flaw_within(members: Any, depth: int) -> tuple[str, str] | None:
    for name, member in members:
        found = flaw(member, depth + 1)
        if found is not None:
            return f".{name}{found[0]}", found[1]
    return None


def _flaw_of_leaf(value: Any) -> str | None:
    match value:
        case None | bool():
            return None
        case str():
            return None if holds_text(value) else "holds NUL or half a character"
        case int():
            return None if _LEAST <= value <= _MOST else "does not fit 64 bits"
        case float():
            return None if math.isfinite(value) else f"is {value}, which JSON has no number for"
        case _:
            return f"is a {type(value).__name__}, which JSON cannot hold"
