"""Keyset pages over a registry table: filtered, sorted, with opaque signed cursors, no OFFSET."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from psycopg import sql

from domain.errors import Invalid
from infra.database import Connection

MAX_LIMIT = 500
COUNT_CAP = 10_000
_MAC_BYTES = 16


@dataclass(frozen=True, slots=True)
class Registry:
    """A table that can be listed: what it shows, and what it can be filtered and sorted by."""

    table: str
    columns: Sequence[str]
    filters: Mapping[str, str]  # parameter name -> column
    sorts: Sequence[str] = ("created_at", "updated_at", "name")
    fixed: Mapping[str, str] = field(default_factory=dict)  # column -> value of every row
    archivable: bool = True


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a client asks of a list. `sort` is a column, with `-` in front for descending."""

    limit: int = 50
    cursor: str | None = None
    sort: str = "-created_at"
    archived: bool = False
    count: bool = False
    where: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, the cursor of the next page, and the capped count if it was asked for."""

    items: list[dict[str, Any]]
    next_cursor: str | None
    total: int | None = None


class CursorSigner:
    """Makes and checks cursors; each is bound to its sort, filter and subject."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, place: list[Any], binding: bytes) -> str:
        """An opaque cursor for the row at `place`."""
        body = orjson.dumps(place)
        return urlsafe_b64encode(self._mac(body, binding) + body).decode()

    def read(self, cursor: str, binding: bytes) -> list[Any]:
        """The place in a cursor. Raises Invalid if it was not made for this list."""
        try:
            raw = urlsafe_b64decode(cursor.encode())
            mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        except ValueError:
            mac, body = b"", b""
        if not body or not hmac.compare_digest(mac, self._mac(body, binding)):
            raise Invalid(
                "this cursor was not made for this list, sort, filter and user",
                code="invalid-cursor",
            )
        place: list[Any] = orjson.loads(body)
        return place

    def _mac(self, body: bytes, binding: bytes) -> bytes:
        return hmac.digest(self._secret, binding + b"\0" + body, hashlib.sha256)[:_MAC_BYTES]


def read_page(
    connection: Connection,
    registry: Registry,
    request: PageRequest,
    signer: CursorSigner,
    subject: str,
) -> Page:
    """One page of a registry. Raises Invalid for an unknown sort or filter, or a bad cursor."""
    column, descending = _sort(registry, request.sort)
    conditions, values = _conditions(registry, request)
    binding = orjson.dumps([registry.table, request.sort, conditions_key(request), subject])
    total = _count(connection, registry, conditions, values) if request.count else None
    if request.cursor is not None:
        place = signer.read(request.cursor, binding)
        comparison = sql.SQL(
            "(t.{0}, t.id) < (%s, %s)" if descending else "(t.{0}, t.id) > (%s, %s)"
        )
        conditions.append(comparison.format(sql.Identifier(column)))
        values += place
    query = sql.SQL(
        "SELECT {columns}, to_jsonb(t.{sort}) AS page_place FROM {table} t WHERE {where} "
        "ORDER BY t.{sort} {direction}, t.id {direction} LIMIT %s"
    ).format(
        columns=sql.SQL(", ").join(
            sql.SQL("to_jsonb(t.{0}) AS {0}").format(sql.Identifier(c)) for c in registry.columns
        ),
        sort=sql.Identifier(column),
        table=sql.Identifier(registry.table),
        where=sql.SQL(" AND ").join(conditions),
        direction=sql.SQL("DESC" if descending else "ASC"),
    )
    rows = connection.execute(query, [*values, request.limit + 1]).fetchall()
    items = [dict(zip(registry.columns, row, strict=False)) for row in rows[: request.limit]]
    more = len(rows) > request.limit
    last = [rows[request.limit - 1][-1], items[-1]["id"]] if more else None
    return Page(items, signer.sign(last, binding) if last else None, total)


def read_one(connection: Connection, registry: Registry, id_: str) -> dict[str, Any] | None:
    """The whole row of an entity, or None where there is nothing to show."""
    query = sql.SQL("SELECT to_jsonb(t) FROM {} t WHERE t.id = %s AND {}").format(
        sql.Identifier(registry.table), _SHOWN
    )
    row = connection.execute(query, (id_,)).fetchone()
    if row is None or any(row[0][column] != value for column, value in registry.fixed.items()):
        return None
    found: dict[str, Any] = row[0]
    return found


def conditions_key(request: PageRequest) -> list[Any]:
    """What of a request decides which rows match."""
    return [sorted(request.where.items()), request.archived]


# An entity with an event that could not be folded is not shown: what is missing might restrict it.
_SHOWN = sql.SQL("NOT EXISTS (SELECT 1 FROM dead_letter d WHERE d.entity = t.id)")


def _sort(registry: Registry, sort: str) -> tuple[str, bool]:
    column = sort.removeprefix("-")
    if column not in registry.sorts:
        raise Invalid(
            f"cannot sort by `{column}`; one of {', '.join(registry.sorts)}", field="sort"
        )
    return column, sort.startswith("-")


def _conditions(registry: Registry, request: PageRequest) -> tuple[list[sql.Composable], list[Any]]:
    if not 1 <= request.limit <= MAX_LIMIT:
        raise Invalid(f"`limit` is 1 to {MAX_LIMIT}", field="limit")
    conditions: list[sql.Composable] = [_SHOWN]
    values: list[Any] = []
    if registry.archivable and not request.archived:
        conditions.append(sql.SQL("NOT t.archived"))
    wanted = {registry.filters[name]: value for name, value in request.where.items()}
    for column, value in {**registry.fixed, **wanted}.items():
        conditions.append(sql.SQL("t.{} = %s").format(sql.Identifier(column)))
        values.append(value)
    return conditions, values


def _count(
    connection: Connection,
    registry: Registry,
    conditions: Sequence[sql.Composable],
    values: Sequence[Any],
) -> int:
    query = sql.SQL("SELECT count(*) FROM (SELECT 1 FROM {} t WHERE {} LIMIT %s) capped").format(
        sql.Identifier(registry.table), sql.SQL(" AND ").join(conditions)
    )
    row = connection.execute(query, [*values, COUNT_CAP]).fetchone()
    assert row is not None
    return int(row[0])
