"""The order of a list: up to three keys, then the id; and what lies behind a place in it.

Missing values come last in either direction. A list whose first key is a metric is read in two
parts: the runs that have it, straight from the metric's index, then the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from psycopg.sql import SQL, Composable, Identifier

from domain.errors import Forbidden, Invalid
from policies.access import Listing
from policies.language import parse_name
from policies.schema import Attribute, JsonAny, Metric, Type, field_of
from policies.sql import CASTS, SqlWriter

MAX_KEYS = 3


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of an order."""

    name: str
    attribute: Attribute
    descending: bool

    @property
    def metric(self) -> Metric | None:
        """The metric it is, if it is one."""
        source = self.attribute.source
        return source if isinstance(source, Metric) else None

    @property
    def cast(self) -> Composable:
        """The SQL type of its values."""
        if isinstance(self.attribute.source, JsonAny):
            return SQL("jsonb")
        return CASTS[self.attribute.type]


def sort_keys(sort: str, listing: Listing) -> list[SortKey]:
    """The keys in `-created_at,name`. Raises Invalid, and Forbidden for a masked field."""
    texts = [text.strip() for text in sort.split(",")]
    if len(texts) > MAX_KEYS:
        raise Invalid(f"{len(texts)} sort keys, at most {MAX_KEYS}", field="sort")
    keys = [_key(text, listing) for text in texts]
    if len({key.name for key in keys}) < len(keys):
        raise Invalid("a sort key is there twice", field="sort")
    return keys


def _key(text: str, listing: Listing) -> SortKey:
    name = text.removeprefix("-")
    ref = parse_name(name, listing.schema)
    attribute = ref.attribute
    if ref.root != "obj":
        raise Invalid(f"`{name}` is the same for all of these", field="sort")
    if attribute.type is Type.SET:
        raise Invalid(f"sets such as `{name}` have no order", field="sort")
    if field_of(attribute.source) in listing.masks:
        raise Forbidden(
            f"`{name}` is masked for you in some of these: you may not sort by it", code="masked"
        )
    return SortKey(name, attribute, text.startswith("-"))


class Order:
    """An order of rows `t`; metric keys are joined under aliases `m0`, `m1`, `m2`."""

    def __init__(self, keys: Sequence[SortKey], *, with_metric: bool = True) -> None:
        first = keys[0].metric if keys else None
        self.keys = list(keys) if with_metric else list(keys[1:])
        self.driven = first if with_metric else None
        """The metric that the rows are read by, where they have it."""
        self.without = None if with_metric else first
        """The metric that the rows must not have."""
        metrics = [key.metric for key in self.keys if key.metric is not None]
        names = dict.fromkeys(metric.key for metric in metrics)
        self.joined = {key: Identifier(f"m{number}") for number, key in enumerate(names)}

    def tables(self, table: str, writer: SqlWriter) -> Composable:
        """What follows FROM."""
        row = SQL("{} t").format(Identifier(table))
        for number, (key, alias) in enumerate(self.joined.items()):
            kind = SQL("JOIN" if number == 0 and self.driven else "LEFT JOIN")
            row = SQL("{} {} metric_latest {} ON {}.run = t.id AND {}.key = {}").format(
                row, kind, alias, alias, alias, writer.bind(key, Type.STR)
            )
        return row

    def conditions(self, writer: SqlWriter) -> list[Composable]:
        """Which rows belong to this part of the list."""
        if self.driven:
            return [SQL("{} IS NOT NULL").format(self._value(self.keys[0], writer))]
        if self.without:
            return [
                SQL(
                    "NOT EXISTS (SELECT 1 FROM metric_latest w WHERE w.run = t.id "
                    "AND w.key = {} AND w.{} IS NOT NULL)"
                ).format(writer.bind(self.without.key, Type.STR), Identifier(self.without.stat))
            ]
        return []

    def by(self, writer: SqlWriter) -> Composable:
        """What follows ORDER BY, over the rows."""
        return self._directed([self._value(key, writer) for key in self.keys])

    def keyed(self, writer: SqlWriter) -> Composable:
        """The keys as further columns of a row, with a comma before each."""
        parts = [
            SQL(", {} AS {}").format(self._value(key, writer), column)
            for key, column in zip(self.keys, self._columns, strict=True)
        ]
        return SQL("").join(parts)

    def again(self) -> Composable:
        """What follows ORDER BY, over rows with their keys as columns."""
        return self._directed([SQL("t.{}").format(column) for column in self._columns])

    def place(self) -> Composable:
        """The keys of such a row as a JSON array, for a cursor."""
        values = [SQL("to_jsonb(t.{})").format(column) for column in self._columns]
        return SQL("jsonb_build_array({})").format(SQL(", ").join([*values, SQL("t.id")]))

    def behind(self, place: Sequence[Any], writer: SqlWriter) -> Composable:
        """Which rows come after a place."""
        values = [self._bound(v, k, writer) for v, k in zip(place, self.keys, strict=False)]
        last = writer.bind(place[-1], Type.STR)
        if self._uniform:
            left = [*(self._value(key, writer) for key in self.keys), SQL("t.id")]
            sign = SQL("<" if self._descending else ">")
            sides = (SQL(", ").join(left), sign, SQL(", ").join([*values, last]))
            return SQL("({}) {} ({})").format(*sides)
        sign = SQL("<" if self._descending else ">")
        found: Composable = SQL("t.id {} {}").format(sign, last)
        for key, value, raw in reversed(list(zip(self.keys, values, place, strict=False))):
            found = self._after(key, self._value(key, writer), value, raw is None, found)
        return found

    def _after(
        self, key: SortKey, left: Composable, value: Composable, missing: bool, rest: Composable
    ) -> Composable:
        """After in this key, or the same in it and after in the rest."""
        if missing:
            return SQL("({} IS NULL AND ({}))").format(left, rest)
        beyond = SQL("{} {} {}").format(left, SQL("<" if key.descending else ">"), value)
        if self._may_miss(key):
            beyond = SQL("({} OR {} IS NULL)").format(beyond, left)
        return SQL("({} OR ({} = {} AND ({})))").format(beyond, left, value, rest)

    def _bound(self, value: Any, key: SortKey, writer: SqlWriter) -> Composable:
        if isinstance(key.attribute.source, JsonAny):
            value = orjson.dumps(value).decode()
        return SQL("{}::{}").format(writer.bind(value), key.cast)

    def _value(self, key: SortKey, writer: SqlWriter) -> Composable:
        value = writer.attribute(key.attribute)
        return SQL('{} COLLATE "C"').format(value) if _is_text(key) else value

    def _direction(self, key: SortKey) -> Composable:
        if not self._may_miss(key):
            return SQL("DESC" if key.descending else "ASC")
        return SQL("DESC NULLS LAST" if key.descending else "ASC NULLS LAST")

    def _may_miss(self, key: SortKey) -> bool:
        return key.attribute.nullable and not (self.driven and key is self.keys[0])

    def _directed(self, values: Sequence[Composable]) -> Composable:
        parts = [
            SQL("{} {}").format(value, self._direction(key))
            for key, value in zip(self.keys, values, strict=True)
        ]
        return SQL(", ").join([*parts, SQL("t.id {}").format(self._tie)])

    @property
    def _columns(self) -> list[Identifier]:
        return [Identifier(f"page_key_{number}") for number in range(len(self.keys))]

    @property
    def _descending(self) -> bool:
        return self.keys[-1].descending if self.keys else False

    @property
    def _tie(self) -> Composable:
        return SQL("DESC" if self._descending else "ASC")

    @property
    def _uniform(self) -> bool:
        """Whether the keys can be compared as one row value, which an index answers."""
        same = all(key.descending is self._descending for key in self.keys)
        return same and not any(self._may_miss(key) for key in self.keys)


def _is_text(key: SortKey) -> bool:
    return key.attribute.type is Type.STR and not isinstance(key.attribute.source, JsonAny)
