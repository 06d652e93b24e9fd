"""Boundary values of each type that conditions know, and the columns that hold them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from math import inf, nan
from typing import Any

from policies.schema import MAX_INT, MIN_INT, Column, JsonAny, JsonKeys, JsonPath, Source, Type

STRINGS = (
    *("", " ", "a", "A", "b", "B", "ab", "abc", "a ", "aXc", "z", "~", "i", "İ", "ß", "ss", "é"),
    *("%", "_", "a%", "a_", "a%c", "\\", "\\%", "\\\\", "'", "''", '"', "`", "--", ";", "/*"),
    *("\t", "\n", "\r", "a\nb", "\x7f", "{}", "{a,b}", "NULL", "null", "$1", "%s", "%(p0)s"),
    *("á", "a\N{COMBINING ACUTE ACCENT}", "\N{COMBINING ACUTE ACCENT}", "\ue000", "\uffff"),
    *("\U00010000", "\N{GRINNING FACE}", "a\N{GRINNING FACE}", "\U0010ffff", "x" * 300),
)
INTS = (
    *(MIN_INT, MIN_INT + 1, -(2**53) - 1, -(2**31) - 1, -1, 0, 1, 2, 2**31 - 1, 2**31),
    *(2**53, 2**53 + 1, MAX_INT - 1, MAX_INT),
)
_NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)
TIMES = (
    *(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    *(datetime(1970, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    *(_NOON - _INSTANT, _NOON, _NOON + _INSTANT),
    *(_NOON.astimezone(timezone(timedelta(hours=hours))) for hours in (-12, 14)),
    _NOON.replace(tzinfo=timezone(timedelta(hours=5, minutes=45))),
)
FLOATS = (
    *(0.0, -0.0, 1.0, 1.5, -1.5, 0.3, 0.1 + 0.2, 5e-324, -5e-324, 1e16, float(2**53)),
    *(float(MAX_INT), float(MIN_INT), 1.7976931348623157e308, -1.7976931348623157e308),
    *(inf, -inf),
)
SETS = tuple(
    frozenset(members)
    for members in (
        *((), ("",), (" ",), ("a",), ("A",), ("b",), ("a", "b"), ("a", "b", "c"), ("a,b",)),
        *(("NULL",), ("null",), ("%",), ("_",), ("\\",), ('"',), ("'",), ("{}",), ("{a}",)),
        *(("á",), ("a\N{COMBINING ACUTE ACCENT}",), ("\N{GRINNING FACE}", "a"), ("k", "1")),
    )
)
ABSENT = object()
"""No such key."""
JSON: tuple[Any, ...] = (
    *(ABSENT, None, True, False, 0, 1, -1, 2**53 + 1, MIN_INT, MAX_INT, 2**63, 1.0, 1.5, -0.0),
    *(1e16, 1e308, 5e-324, "", "a", "ab", "1", "true", "null", "%", "\N{GRINNING FACE}"),
    *([], [""], ["a"], ["a", "b"], ["b", "a", "a"], [1], ["a", 1], ["a", None], [None]),
    *([["a"]], [{"a": "b"}], {}, {"a": 1}, {"a": None}),
)
PATH = ("a b", "%")


@dataclass(frozen=True, slots=True)
class Kind:
    """One way in which a value can lie in a row."""

    name: str
    type: Type
    column_type: str
    stored: tuple[Any, ...]
    source: Callable[[str], Source] = Column
    nullable: tuple[bool, ...] = (False, True)

    def fewer(self, *stored: Any) -> "Kind":
        """The same with other values."""
        return Kind(self.name, self.type, self.column_type, stored, self.source, self.nullable)


def _at_path(value: Any) -> dict[str, Any]:
    return {} if value is ABSENT else {PATH[0]: {PATH[1]: value}}


_THROUGH_OTHERS: tuple[Any, ...] = ({PATH[0]: 1}, {PATH[0]: [1]}, {PATH[0]: None}, {PATH[1]: "a"})


def json_kind(type_: Type) -> Kind:
    """A value of a type in JSON, among values of all other types."""
    stored = (*map(_at_path, JSON), *_THROUGH_OTHERS)
    return Kind(f"json {type_}", type_, "jsonb", stored, lambda c: JsonPath(c, PATH), (True,))


TEXT = Kind("text", Type.STR, "text", (None, *STRINGS))
BIGINT = Kind("bigint", Type.INT, "bigint", (None, *INTS))
BOOLEAN = Kind("boolean", Type.BOOL, "boolean", (None, True, False))
TIMESTAMP = Kind("time", Type.TIME, "timestamptz", (None, *TIMES))
TEXTS = Kind("set", Type.SET, "text[]", (None, *SETS))
DOUBLE = Kind("float", Type.FLOAT, "float8", (None, nan, *FLOATS))
WHOLE = Kind("whole number beside a float", Type.FLOAT, "bigint", (None, *INTS))
KEYS = Kind(
    *("keys", Type.SET, "jsonb", ({}, {"a": 1}, {"b": None}, {"": 1, "k": {"a": 1}}, {"%": 1})),
    source=JsonKeys,
    nullable=(False,),
)
ANY_JSON = Kind(
    *("any json", Type.STR, "jsonb", (*map(_at_path, JSON), *_THROUGH_OTHERS)),
    source=lambda c: JsonAny(c, PATH),
    nullable=(True,),
)
ONE = Kind("nothing beside", Type.BOOL, "boolean", (True,), nullable=(False,))
