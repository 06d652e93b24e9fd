"""Keyset pages over a registry table: what the caller may see, filtered, sorted, no OFFSET.

Each query takes a decision: a `Listing` for lists, counts and facets, a `Permit` for one entity.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from psycopg.sql import SQL, Composable, Identifier

from domain.errors import Forbidden, Invalid
from infra.database import Connection
from policies.access import Listing, Permit
from policies.filtering import beneath, equals, filter_formula
from policies.formula import TRUE, Formula, all_of
from policies.kinds import SCHEMAS
from policies.language import parse_name
from policies.schema import Column, Type, field_of
from policies.sql import SqlWriter
from projections.among import Among
from projections.cursor import CursorSigner
from projections.sorting import Order, SortKey, sort_keys

MAX_LIMIT = 500
COUNT_CAP = 10_000
MAX_FACETS = 100


@dataclass(frozen=True, slots=True)
class Registry:
    """A table that can be listed: what it shows, and what query parameters filter it."""

    kind: str
    table: str
    columns: Sequence[str]
    filters: Sequence[str] = ()  # attributes that query parameters of their own name compare
    sort: str = "-created_at"
    fixed: Mapping[str, str] = field(default_factory=dict)  # column -> value of every row
    archivable: bool = True


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a client asks of a list."""

    limit: int = 50
    cursor: str | None = None
    sort: str | None = None
    archived: bool = False
    count: bool = False
    where: Mapping[str, str] = field(default_factory=dict)
    filter: str | None = None
    among: Among | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, the cursor of the next page, and the capped count if it was asked for."""

    items: list[dict[str, Any]]
    next_cursor: str | None
    total: int | None = None


def read_page(
    connection: Connection,
    registry: Registry,
    listing: Listing,
    request: PageRequest,
    signer: CursorSigner,
    now: datetime,
) -> Page:
    """One page of a registry. Raises Invalid for a bad filter, sort or cursor, and Forbidden."""
    if not 1 <= request.limit <= MAX_LIMIT:
        raise Invalid(f"`limit` is 1 to {MAX_LIMIT}", field="limit")
    keys = sort_keys(request.sort or registry.sort, listing)
    formula = visible(registry, listing, request, now)
    binding = binding_of(registry, listing, request)
    place = signer.read(request.cursor, binding) if request.cursor is not None else None
    total = _count(connection, registry, listing, request, formula) if request.count else None
    rows: list[tuple[Any, ...]] = []
    for part, order in enumerate(_parts(keys)):
        if place is not None and place[0] > part:
            continue
        behind = place[1:] if place is not None and place[0] == part else None
        room = request.limit + 1 - len(rows)
        query = _Query(registry, listing, request, formula, order)
        rows += [(*row, part) for row in query.page(connection, behind, room)]
        if len(rows) > request.limit:
            break
    return _page(registry, listing, request, rows, lambda at: signer.sign(at, binding), total)


def read_one(connection: Connection, registry: Registry, permit: Permit) -> dict[str, Any] | None:
    """The whole row of an entity but its masked fields, or None where there is nothing to show."""
    unhidden = [unhidden_row(column) for column in SCHEMAS[registry.kind].hidden_with]
    query = SQL("SELECT to_jsonb(t) FROM {} t WHERE t.id = %s AND {}").format(
        Identifier(registry.table), SQL(" AND ").join(unhidden)
    )
    row = connection.execute(query, (permit.entity,)).fetchone()
    if row is None or any(row[0][column] != value for column, value in registry.fixed.items()):
        return None
    return without(row[0], permit.masked)


def without(row: dict[str, Any], masked: frozenset[str]) -> dict[str, Any]:
    """The row with masked fields emptied, and named."""
    if not masked:
        return row
    kept = {name: None if name in masked else value for name, value in row.items()}
    return {**kept, "masked": sorted(masked)}


def read_facet(
    connection: Connection,
    registry: Registry,
    listing: Listing,
    request: PageRequest,
    name: str,
    now: datetime,
) -> list[dict[str, Any]]:
    """How many of the first 10,000 matching rows have each value of a field, most first."""
    ref = parse_name(name, listing.schema)
    attribute = ref.attribute
    if ref.root != "obj" or not isinstance(attribute.source, Column) or attribute.type is Type.SET:
        raise Invalid(f"`{name}` has no facet", field="field")
    if field_of(attribute.source) in listing.masks:
        raise Forbidden(f"`{name}` is masked for you in some of these", code="masked")
    formula = visible(registry, listing, request, now)
    query = _Query(registry, listing, request, formula, Order([]))
    return query.facet(connection, query.writer.attribute(attribute))


def visible(registry: Registry, listing: Listing, request: PageRequest, now: datetime) -> Formula:
    """What the caller may see and asks for. Raises Invalid for a bad filter."""
    schema = listing.schema
    wanted = [equals(schema, name, value) for name, value in request.where.items()]
    if request.filter is not None:
        wanted.append(filter_formula(request.filter, schema, now))
    shown = [] if request.among is None else [request.among.shown(listing)]
    return all_of([listing.formula, *shown, beneath(all_of(wanted), listing.masks)])


class _Query:
    """One query over the rows that a formula lets through, in an order."""

    def __init__(
        self,
        registry: Registry,
        listing: Listing,
        request: PageRequest,
        formula: Formula,
        order: Order,
    ) -> None:
        self.writer = SqlWriter(joined=order.joined)
        self._registry = registry
        self._listing = listing
        self._order = order
        self._from = order.tables(registry.table, self.writer)
        self._where = [
            *(unhidden_row(column) for column in listing.schema.hidden_with),
            *self._plain(request),
            *order.conditions(self.writer),
            self.writer.where(formula),
        ]

    def page(
        self, connection: Connection, behind: Sequence[Any] | None, limit: int
    ) -> list[tuple[Any, ...]]:
        """At most `limit` rows behind a place: the shown columns, what is masked, the place."""
        where = list(self._where)
        if behind is not None:
            where.append(self._order.behind(behind, self.writer))
        # The inner query sorts whole rows; only those of the page are turned into JSON.
        query = SQL(
            "SELECT {}, {} FROM (SELECT t.*{} FROM {} WHERE {} ORDER BY {} LIMIT {}) t ORDER BY {}"
        ).format(
            self._columns(),
            self._order.place(),
            self._order.keyed(self.writer),
            self._from,
            SQL(" AND ").join(where),
            self._order.by(self.writer),
            self.writer.bind(limit),
            self._order.again(),
        )
        return connection.execute(query, self.writer.values).fetchall()

    def count(self, connection: Connection) -> int:
        """How many there are, up to 10,000."""
        query = SQL("SELECT count(*) FROM (SELECT 1 {} LIMIT {}) capped").format(
            self._rows(), self.writer.bind(COUNT_CAP)
        )
        row = connection.execute(query, self.writer.values).fetchone()
        assert row is not None
        return int(row[0])

    def facet(self, connection: Connection, value: Composable) -> list[dict[str, Any]]:
        """Values and how often each is there, among the first 10,000 rows."""
        query = SQL(
            "SELECT value, count(*) FROM (SELECT to_jsonb({}) AS value {} LIMIT {}) capped "
            "GROUP BY value ORDER BY 2 DESC, 1 LIMIT {}"
        ).format(value, self._rows(), self.writer.bind(COUNT_CAP), self.writer.bind(MAX_FACETS))
        rows = connection.execute(query, self.writer.values).fetchall()
        return [{"value": found, "count": count} for found, count in rows]

    def _rows(self) -> Composable:
        return SQL("FROM {} WHERE {}").format(self._from, SQL(" AND ").join(self._where))

    def _plain(self, request: PageRequest) -> list[Composable]:
        """Conditions that are no matter of policy."""
        found: list[Composable] = [
            SQL("t.{} = {}").format(Identifier(column), self.writer.bind(value, Type.STR))
            for column, value in self._registry.fixed.items()
        ]
        if self._registry.archivable and not request.archived:
            found.append(SQL("NOT t.archived"))
        if request.among is not None:
            found.append(request.among.condition(self.writer))
        return found

    def _columns(self) -> Composable:
        masks = self._listing.masks
        shown = [self._column(name) for name in self._registry.columns]
        hidden = [
            SQL("CASE WHEN {} THEN NULL ELSE {} END").format(
                self.writer.where(shown_where), self.writer.bind(name, Type.STR)
            )
            for name, shown_where in masks.items()
        ]
        members = SQL("ARRAY[{}]::text[]").format(SQL(", ").join(hidden))
        return SQL("{}, array_remove({}, NULL)").format(SQL(", ").join(shown), members)

    def _column(self, name: str) -> Composable:
        value = SQL("to_jsonb(t.{})").format(Identifier(name))
        mask = self._listing.masks.get(name, TRUE)
        if mask == TRUE:
            return value
        return SQL("CASE WHEN {} THEN {} END").format(self.writer.where(mask), value)


def _parts(keys: Sequence[SortKey]) -> list[Order]:
    """The parts of a list: where it is sorted by a metric, the runs without it come last."""
    if keys[0].metric is None:
        return [Order(keys)]
    return [Order(keys), Order(keys, with_metric=False)]


def _page(
    registry: Registry,
    listing: Listing,
    request: PageRequest,
    rows: list[tuple[Any, ...]],
    sign: Any,
    total: int | None,
) -> Page:
    items = []
    for row in rows[: request.limit]:
        item = dict(zip(registry.columns, row, strict=False))
        items.append({**item, "masked": row[-3]} if listing.masks else item)
    if len(rows) <= request.limit:
        return Page(items, None, total)
    *_, place, part = rows[request.limit - 1]
    return Page(items, sign([part, *place]), total)


def _count(
    connection: Connection,
    registry: Registry,
    listing: Listing,
    request: PageRequest,
    formula: Formula,
) -> int:
    return _Query(registry, listing, request, formula, Order([])).count(connection)


def binding_of(registry: Registry, listing: Listing, request: PageRequest) -> bytes:
    """What a cursor belongs to."""
    asked = [sorted(request.where.items()), request.filter, request.sort, request.archived]
    asked += [] if request.among is None else [request.among.name]
    fixed = sorted(registry.fixed.items())
    place = [registry.table, fixed, listing.subject, listing.policy_set]
    return orjson.dumps([place, asked])


def seen(listing: Listing, writer: SqlWriter) -> Composable:
    """What a list shows of a table that is called `t` in the query."""
    unhidden = [unhidden_row(column) for column in listing.schema.hidden_with]
    return SQL(" AND ").join([*unhidden, writer.where(listing.formula)])


def unhidden_row(column: str) -> Composable:
    """No event of it is unfolded: what is missing might restrict it."""
    return SQL("NOT EXISTS (SELECT 1 FROM dead_letter d WHERE d.entity = t.{})").format(
        Identifier(column)
    )
