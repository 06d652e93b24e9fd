"""Versions and runs as lineage needs them: who sees them, and what they say they were made from.

What a row says is read beneath the masks of the list it stands in, whoever may see the row.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.sql import SQL, Composable, Identifier, Literal

from domain.run import TERMINAL, Status
from domain.text import kind_of
from infra.database import Connection
from policies.access import Access, Listing
from policies.schema import Type
from policies.sql import SqlWriter
from projections.page import seen

_FIELDS: Mapping[str, Sequence[str]] = {
    "version": (
        *("kind", "abstraction", "number", "created_by", "created_at", "archived", "deleted"),
        *("origin", "parents", "data"),
    ),
    "run": (
        *("name", "status", "created_by", "created_at", "archived"),
        *("executor", "slots", "datasets"),
    ),
}
_ABSTRACTIONS = ("executor", "model", "loader", "dataset")

_BY_ID = SQL("(t.id = ANY({ids}) OR t.id = ANY({runs})) AND {seen}")
_ENDED = SQL(", ").join(Literal(str(status)) for status in sorted(TERMINAL))
_OPEN = SQL(", ").join(Literal(str(status)) for status in Status if status not in TERMINAL)
_MADE_VERSIONS = SQL(
    "(t.parents <> '{{}}' AND t.parents && {ids} OR t.data <> '{{}}' AND t.data && {ids} OR "
    "t.origin IS NOT NULL AND t.origin ->> 'run' = ANY({runs}) OR "
    "t.origin IS NOT NULL AND t.origin ->> 'version' = ANY({ids}))"
)
_MADE_RUNS = SQL(  # each line has an index of its own
    "(t.status IN ({ended}) AND t.executor = ANY({ids}) OR "
    "t.status IN ({ended}) AND jsonb_path_query_array(t.slots, '$.*.version') ?| {ids} OR "
    "t.status IN ({ended}) AND t.datasets <> '{{}}' AND "
    "jsonb_path_query_array(t.datasets, '$.*') ?| {ids} OR "
    "t.status IN ({open}) AND (t.executor = ANY({ids}) OR "
    "jsonb_path_query_array(t.slots, '$.*.version') ?| {ids} OR "
    "jsonb_path_query_array(t.datasets, '$.*') ?| {ids}))"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A version or run; `seen` says whether the caller may see it."""

    id: str
    seen: bool
    values: Mapping[str, Any]

    def links(self) -> list[tuple[str, str]]:
        """What it was made from, and by which of its members it says so."""
        if "slots" in self.values:
            return list(_of_run(self.values))
        return list(_of_version(self.values))


def _of_version(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    origin = values["origin"] or {}
    found = [(origin[name], f"origin.{name}") for name in ("run", "version") if origin.get(name)]
    for name in ("parents", "data"):
        found += [(id_, name) for id_ in values[name] or []]
    return found


def _of_run(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [(values["executor"], "executor")] if values["executor"] else []
    found += [(s["version"], f"slots.{name}") for name, s in (values["slots"] or {}).items()]
    return found + [(id_, f"datasets.{name}") for name, id_ in (values["datasets"] or {}).items()]


def rows_of(connection: Connection, access: Access, ids: Collection[str]) -> list[Row]:
    """Of these versions and runs, those that the caller may see."""
    return _read(connection, access, _BY_ID, None, ids, len(ids))


def rows_made_from(
    connection: Connection, access: Access, ids: Collection[str], most: int
) -> list[Row]:
    """Versions and runs, seen or not, that say they were made from some of these."""
    return _read(connection, access, _MADE_VERSIONS, _MADE_RUNS, ids, most)


def versions_of(connection: Connection, access: Access, abstraction: str, most: int) -> list[Row]:
    """The versions of an abstraction that the caller may see, the newest first."""
    writer = SqlWriter()
    query = _select(
        access.listing("version"),
        writer,
        SQL("t.abstraction = ANY({ids}) AND {seen}"),
        writer.bind([abstraction], Type.SET),
        writer.bind([], Type.SET),
    )
    query = SQL("{} ORDER BY t.number DESC LIMIT {}").format(query, writer.bind(most))
    return [Row(*row) for row in connection.execute(query, writer.values).fetchall()]


def names_of(
    connection: Connection, access: Access, abstractions: Collection[str]
) -> dict[str, str]:
    """The names of abstractions by id, as far as the caller may see them."""
    writer = SqlWriter()
    kinds = []
    for kind in _ABSTRACTIONS:
        listing = access.listing(kind)
        shown = [_seen(listing, writer)]
        shown += [writer.where(listing.masks["name"])] if "name" in listing.masks else []
        of_kind = SQL("t.kind = {}").format(Literal(kind))
        kinds.append(SQL("({})").format(SQL(" AND ").join([of_kind, *shown])))
    query = SQL("SELECT t.id, t.name FROM abstraction t WHERE t.id = ANY({}) AND ({})").format(
        writer.bind(list(abstractions), Type.SET), SQL(" OR ").join(kinds)
    )
    return dict(connection.execute(query, writer.values).fetchall())


def _read(
    connection: Connection,
    access: Access,
    versions: SQL,
    runs: SQL | None,
    ids: Collection[str],
    most: int,
) -> list[Row]:
    """One query over versions and runs; where no condition is given for runs, the same.

    PostgreSQL guesses that a condition on JSON holds for many rows and would rather read them all.
    """
    writer = SqlWriter()
    of_runs = [id_ for id_ in ids if kind_of(id_) == "run"]
    others = [id_ for id_ in ids if kind_of(id_) != "run"]
    given = (writer.bind(others, Type.SET), writer.bind(of_runs, Type.SET))
    limit = writer.bind(most)
    query = SQL("({} LIMIT {}) UNION ALL ({} LIMIT {}) ORDER BY 1 LIMIT {}").format(
        *(_select(access.listing("version"), writer, versions, *given), limit),
        *(_select(access.listing("run"), writer, runs or versions, *given), limit, limit),
    )
    with connection.transaction():
        connection.execute("SET LOCAL enable_seqscan = off")
        return [Row(*row) for row in connection.execute(query, writer.values).fetchall()]


def _select(
    listing: Listing, writer: SqlWriter, where: SQL, ids: Composable, runs: Composable
) -> Composable:
    seen = _seen(listing, writer)
    members = [
        SQL("{}, {}").format(Literal(name), _value(listing, writer, name))
        for name in _FIELDS[listing.schema.kind]
    ]
    return SQL("SELECT t.id, {}, jsonb_build_object({}) FROM {} t WHERE {}").format(
        seen,
        SQL(", ").join(members),
        Identifier(str(listing.schema.table)),
        where.format(ids=ids, runs=runs, seen=seen, ended=_ENDED, open=_OPEN),
    )


def _value(listing: Listing, writer: SqlWriter, name: str) -> Composable:
    value = SQL("to_jsonb(t.{})").format(Identifier(name))
    if name not in listing.masks:
        return value
    return SQL("CASE WHEN {} THEN {} END").format(writer.where(listing.masks[name]), value)


def _seen(listing: Listing, writer: SqlWriter) -> Composable:
    return SQL("coalesce({}, FALSE)").format(seen(listing, writer))
