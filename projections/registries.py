"""Folds events into the registry tables: read the rows a batch touches, fold, write them back."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import sql

from domain.text import kind_of
from infra.database import Connection
from projections.batch import upsert
from projections.compatibility import relate
from projections.event_rows import record
from projections.inherited import inherit
from projections.read_event import ReadEvent
from projections.registry_rows import TABLES, fold
from projections.rows import Row


def fold_events(connection: Connection, events: Sequence[ReadEvent]) -> None:
    """Fold a batch of events in log order into every table they touch."""
    for table, its_events in _by_table(events).items():
        rows = _rows(connection, table, {event.entity for event in its_events})
        for event in its_events:
            rows[event.entity] = fold(rows.get(event.entity), event)
        upsert(connection, table, ["id"], list(rows.values()))
    inherit(connection, events)
    relate(connection, events)
    record(connection, events)


def _by_table(events: Iterable[ReadEvent]) -> dict[str, list[ReadEvent]]:
    tables: dict[str, list[ReadEvent]] = defaultdict(list)
    for event in events:
        table = TABLES.get(kind_of(event.entity))
        if table is not None:
            tables[table].append(event)
    return tables


def _rows(connection: Connection, table: str, ids: set[str]) -> dict[str, Row]:
    query = sql.SQL("SELECT to_jsonb(t) FROM {} t WHERE id = ANY(%s)").format(sql.Identifier(table))
    found: list[tuple[Any]] = connection.execute(query, (list(ids),)).fetchall()
    return {row["id"]: row for (row,) in found}
