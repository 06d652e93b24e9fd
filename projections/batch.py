"""One batch of a stream into the read models: one transaction, with its position.

The tracking row is locked first, so two projectors are safe. A batch that fails is halved until
the event that cannot be folded stands alone; it goes to the dead letters, later events of the same
entity queue behind it, and lists hide the entity: a skipped restriction must not become a leak.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import psycopg
import structlog
from psycopg import sql

from infra.database import Connection

_log = structlog.get_logger(__name__)

_UNFOLDABLE = (psycopg.DataError, psycopg.IntegrityError, ArithmeticError, LookupError, ValueError)
_UNFOLDABLE_TOO = (TypeError, AttributeError, RecursionError)
_TOO_MUCH = (
    psycopg.errors.CardinalityViolation,  # two rows of a batch under one key
    psycopg.errors.UndefinedColumn,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
)


class Foldable(Protocol):
    """What a batch consists of."""

    @property
    def position(self) -> int:
        """Place in its stream."""

    @property
    def entity(self) -> str:
        """The entity it belongs to."""

    @property
    def topic(self) -> str:
        """What it is, for whoever looks at a dead letter."""


F = TypeVar("F", bound=Foldable)


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A message that is no event; it takes its place in the batch, and is buried there."""

    position: int
    entity: str
    topic: str
    error: str


class BatchWriter(Generic[F]):
    """Folds batches of one stream; `fold` writes a batch with the connection it is given."""

    def __init__(
        self,
        connection: Connection,
        stream: str,
        fold: Callable[[Connection, Sequence[F]], None],
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._fold = fold

    def position(self) -> int:
        """The position folded up to."""
        row = self._connection.execute(
            "SELECT position FROM tracking WHERE stream = %s", (self._stream,)
        ).fetchone()
        assert row is not None
        return int(row[0])

    def write(self, after: int, batch: Sequence[F | Undecodable], end: int) -> bool:
        """Fold the items behind `after` and move the position to `end`, in one transaction.

        Answers False, and writes nothing, if another projector has moved on meanwhile.
        """
        with self._connection.transaction():
            pass_gate(self._connection)
            row = self._connection.execute(
                "SELECT position FROM tracking WHERE stream = %s FOR UPDATE", (self._stream,)
            ).fetchone()
            if row is None or row[0] != after:
                return False
            self._fold_or_halve(self._without_queued(batch))
            self._connection.execute(
                "UPDATE tracking SET position = %s WHERE stream = %s", (end, self._stream)
            )
            self._connection.execute("SELECT pg_notify('hansard', %s)", (f"{self._stream} {end}",))
        return True

    def _without_queued(self, batch: Sequence[F | Undecodable]) -> list[F | Undecodable]:
        """The items whose entity has no dead letter; the others are queued behind theirs."""
        rows = self._connection.execute("SELECT DISTINCT entity FROM dead_letter").fetchall()
        blocked = {row[0] for row in rows}
        if blocked:
            self._bury([i for i in batch if i.entity in blocked], "queued behind an earlier one")
        return [item for item in batch if item.entity not in blocked]

    def _fold_or_halve(self, items: list[F | Undecodable]) -> None:
        if not items:
            return
        try:
            with self._connection.transaction():
                self._fold(self._connection, _decoded(items))
        except (*_UNFOLDABLE, *_UNFOLDABLE_TOO, *_TOO_MUCH) as error:
            if len(items) == 1:
                self._bury(items, f"{type(error).__name__}: {error}")
                return
            middle = len(items) // 2
            self._fold_or_halve(items[:middle])
            self._fold_or_halve(self._without_queued(items[middle:]))

    def _bury(self, items: Sequence[F | Undecodable], error: str) -> None:
        for item in items:
            _log.error("event_not_folded", position=item.position, entity=item.entity, error=error)
            self._connection.execute(
                "INSERT INTO dead_letter VALUES (%s, %s, %s, %s, %s)",
                (
                    *(self._stream, item.position, item.entity, item.topic),
                    error.replace("\0", "")[:1000],
                ),
            )


def _decoded(items: Sequence[F | Undecodable]) -> list[F]:
    """The items. Raises ValueError if one of them is no event."""
    found = []
    for item in items:
        if isinstance(item, Undecodable):
            raise ValueError(item.error)
        found.append(item)
    return found


def pass_gate(connection: Connection) -> None:
    """Enter a transaction that writes: waits, holding no table, while a rebuild swaps tables."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(hashtext(current_schema()))")


def close_gate(connection: Connection) -> None:
    """Wait for writers to finish, and keep others out until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema()))")


def upsert(
    connection: Connection, table: str, key: Sequence[str], rows: Sequence[dict[str, Any]]
) -> None:
    """Insert or replace whole rows, set-wise, by one JSON parameter."""
    if not rows:
        return
    columns = [name for name in rows[0] if name not in key]
    statement = sql.SQL(
        "INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, %s) "
        "ON CONFLICT ({key}) DO UPDATE SET {assignments}"
    ).format(
        table=sql.Identifier(table),
        key=sql.SQL(", ").join(map(sql.Identifier, key)),
        assignments=sql.SQL(", ").join(
            sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in columns
        ),
    )
    connection.execute(statement, (psycopg.types.json.Jsonb(list(rows)),))
