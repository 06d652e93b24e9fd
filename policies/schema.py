"""What conditions can speak of: typed attributes of subjects, entities and the moment.

A schema is the only source of SQL identifiers. Attributes are text, whole numbers of 64 bit,
truth values, times, and sets of text; filters may also speak of finite floats. Anything that does
not have its declared type counts as missing, and what is missing never grants.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import isnan
from typing import Any

from domain.plain_data import holds_text

Scalar = str | int | bool | float | datetime | frozenset[str]
Facts = Mapping[str, Scalar | None]
"""Every attribute of a schema with its value, or None where it is missing."""

MAX_INT = 2**63 - 1
MIN_INT = -(2**63)


class Type(StrEnum):
    """The type of an attribute or a literal."""

    STR = "str"
    INT = "int"
    BOOL = "bool"
    TIME = "time"
    SET = "set"
    FLOAT = "float"  # filters only


@dataclass(frozen=True, slots=True)
class Column:
    """A value in a column of the entity's row."""

    name: str


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A value inside a JSON column; what has another type there is missing."""

    column: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JsonAny:
    """Whatever lies inside a JSON column, of any type, for tests of absence."""

    column: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JsonKeys:
    """The keys of a JSON object in a column, as a set."""

    column: str


@dataclass(frozen=True, slots=True)
class Metric:
    """The last, low or high value of a metric of a run."""

    key: str
    stat: str


Source = Column | JsonPath | JsonAny | JsonKeys | Metric


def field_of(source: Source) -> str:
    """The field of an answer that shows a value, as masks name it."""
    match source:
        case Column(name):
            return name
        case Metric():
            return "metrics"
        case JsonPath(column=name) | JsonAny(column=name) | JsonKeys(column=name):
            return name


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its type, where its value lies, and whether it can be missing."""

    type: Type
    source: Source
    nullable: bool = False


def column(type_: Type, name: str, *, nullable: bool = False) -> Attribute:
    """An attribute that is a column."""
    return Attribute(type_, Column(name), nullable)


@dataclass(frozen=True, slots=True)
class Schema:
    """The attributes of one kind of entity, and the columns that hold them."""

    kind: str
    table: str | None  # none for what exists only in a request, such as an allocation
    attributes: Mapping[str, Attribute]
    filters: Mapping[str, Attribute] = field(default_factory=dict)
    """More attributes, for filters only."""
    maps: Mapping[str, str] = field(default_factory=dict)
    """Maps that filters may reach into: name to column; the metrics of runs have none."""
    hidden_with: tuple[str, ...] = ("id",)
    """Columns that name entities whose unfoldable events hide the row."""
    fields: tuple[str, ...] = ()
    """What answers show besides attributes and maps, and masks may name."""

    @property
    def maskable(self) -> set[str]:
        """All fields that a mask may name, as answers call them."""
        sources = [a.source for a in (*self.attributes.values(), *self.filters.values())]
        columns = {source.name for source in sources if isinstance(source, Column)}
        in_maps = {column or name for name, column in self.maps.items()}
        return (columns | in_maps | set(self.fields)) - {"id"}

    def facts(self, values: Mapping[str, Any]) -> dict[str, Scalar | None]:
        """All attributes from raw values; of the wrong type or left out is missing.

        Raises MissingFact where what must be there is missing: a denial must not pass over it.
        """
        found = {
            name: checked_value(attribute.type, values.get(name))
            for name, attribute in self.attributes.items()
        }
        for name, attribute in self.attributes.items():
            if found[name] is None and not attribute.nullable:
                raise MissingFact(f"{self.kind} without {name}")
        return found


class MissingFact(Exception):
    """An entity or subject without an attribute that is always there: a fault of ours."""


NOW = column(Type.TIME, "now")
MOMENT = Schema("moment", None, {"now": NOW})
"""`r.env`: when the decision is made."""


def checked_value(type_: Type, value: Any) -> Scalar | None:
    """The value if it has the type and can be stored, else None."""
    match type_, value:
        case Type.BOOL, bool():
            return value
        case Type.INT, int() if not isinstance(value, bool) and MIN_INT <= value <= MAX_INT:
            return value
        case Type.STR, str() if holds_text(value):
            return value
        case Type.TIME, datetime() if value.tzinfo is not None:
            return value
        case Type.SET, list() | tuple() | set() | frozenset():
            whole = all(isinstance(member, str) and holds_text(member) for member in value)
            return frozenset(value) if whole else None
        case Type.FLOAT, int() | float() if not isinstance(value, bool):
            return _real(value)
    return None


def _real(value: float) -> float | None:
    """A number as a float; missing if it is none, or larger than any."""
    try:
        return None if isnan(value) else float(value)
    except OverflowError:
        return None


def microseconds(time: datetime) -> int:
    """A time as whole microseconds since 1970: exact, as PostgreSQL keeps it."""
    return (time.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
