"""What `Annotated` and pydantic's `Field` say of a value, as keywords of JSON Schema."""

import ast
import re
from re import _constants as code  # type: ignore[attr-defined]  # the only way to look into a pattern
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from domain.plain_data import flaw

MAX_MATCHED_CHARS = 256
"""The longest text that a pattern is tried on, and the longest pattern."""
_MAX_REPEATS = 2
_LONG = 64

_BOUNDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}
_CLASSES = {"Ge": "ge", "Gt": "gt", "Le": "le", "Lt": "lt", "MultipleOf": "multiple_of"}
_CLASSES |= {"MinLen": "min_length", "MaxLen": "max_length", "Doc": "description"}
_LENGTHS = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}
_WORDS = ("title", "description")
_MAKERS = frozenset({"Field", "Interval", "StringConstraints", "Len", *_CLASSES})
_REPEATING = frozenset({code.MAX_REPEAT, code.MIN_REPEAT, code.POSSESSIVE_REPEAT})
_LOOKING = frozenset({code.GROUPREF, code.GROUPREF_EXISTS, code.ASSERT, code.ASSERT_NOT})
UNKNOWN = object()


def literal(node: ast.AST | None) -> Any:
    """The JSON value that an expression writes out, or `UNKNOWN`."""
    try:
        value = ast.literal_eval(node)  # type: ignore[arg-type]
    except (ValueError, TypeError, MemoryError, RecursionError, SyntaxError):
        return UNKNOWN
    value = list(value) if isinstance(value, tuple) else value
    return UNKNOWN if flaw(value) else value


def constrained(schema: dict[str, Any], said: ast.expr) -> dict[str, Any]:
    """The schema with what one constraint says added; what is not understood adds nothing."""
    match said:
        case ast.Constant(value=str(text)):
            return {**schema, "description": text}
        case ast.Call(func=func) if (name := _last(func)) in _MAKERS:
            return {**schema, **_keywords(schema, _said(name, said))}
        case _:
            return schema


def _said(name: str, call: ast.Call) -> dict[str, Any]:
    said = {k.arg: literal(k.value) for k in call.keywords if k.arg is not None}
    if call.args and name in _CLASSES:
        said[_CLASSES[name]] = literal(call.args[0])
    if name == "Len":
        lengths = zip(("min_length", "max_length"), map(literal, call.args), strict=False)
        said.update(lengths)
    return said


def _keywords(schema: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        keyword: said[name] for name, keyword in _BOUNDS.items() if _is_number(said.get(name))
    }
    if found.get("multipleOf", 1) <= 0:
        del found["multipleOf"]
    least, most = _LENGTHS.get(str(schema.get("type")), ("", ""))
    for name, keyword in (("min_length", least), ("max_length", most)):
        length = said.get(name)
        if keyword and isinstance(length, int) and length >= 0:
            found[keyword] = length
    found.update({name: said[name] for name in _WORDS if isinstance(said.get(name), str)})
    pattern = said.get("pattern")
    if isinstance(pattern, str) and schema.get("type") == "string":
        found |= _pattern({**schema, **found}, pattern)
    return found


def _pattern(schema: dict[str, Any], pattern: str) -> dict[str, Any]:
    """A pattern that is quick on any text is checked; any other is said in words.

    The length comes first, so that a validator which stops at the first error tries no long text.
    """
    longest = schema.get("maxLength", MAX_MATCHED_CHARS)
    if longest > MAX_MATCHED_CHARS or not is_quick(pattern):
        words = f"matches `{pattern}`"
        return {
            "description": f"{schema['description']}; {words}" if "description" in schema else words
        }
    return {"maxLength": longest, "pattern": pattern}


def is_quick(pattern: str) -> bool:
    """Whether a pattern is quick on any text: few open repeats, none within another."""
    if len(pattern) > MAX_MATCHED_CHARS:
        return False
    try:
        return _repeats(_parser.parse(pattern), within=False) <= _MAX_REPEATS
    except (re.error, RecursionError, OverflowError, _Slow):
        return False


class _Slow(Exception):
    """A repeat within a repeat, or what looks around."""


def _repeats(parts: Any, *, within: bool) -> int:
    """How many open repeats there are. Raises _Slow."""
    return sum(_repeats_of(operation, value, within=within) for operation, value in parts)


def _repeats_of(operation: Any, value: Any, *, within: bool) -> int:
    if operation in _LOOKING or (operation is code.BRANCH and within):
        raise _Slow
    if operation is code.BRANCH:
        return sum(_repeats(each, within=within) for each in value[1])
    if operation is code.SUBPATTERN:
        return _repeats(value[-1], within=within)
    if operation not in _REPEATING:
        return 0
    _, most, inner = value
    if within and most > 1:
        raise _Slow
    return (1 if most > _LONG else 0) + _repeats(inner, within=within or most > 1)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
