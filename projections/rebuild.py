"""Rebuilds the read models from the record beside the live ones, compares, and swaps them.

The tables of a rebuild lie in a schema of their own; live traffic goes on until one rename.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import psycopg
from psycopg import sql

from infra.database import Connection, connect, is_upgraded, migrate
from infra.event_log.layout import Layout
from infra.metric_columns import joined
from projections.batch import close_gate
from projections.compaction import compact
from projections.projector import AnyFollower, events_follower, telemetry_follower
from projections.series import read_attempt

LIVE = "read"
BESIDE = "read_rebuild"
_BEFORE = "read_before"
MIGRATIONS = Path(__file__).with_name("migrations")

# Chunks and tails hold the same points cut differently, so series are compared by content.
_COMPARED_BY_ROW = (
    *("project", "experiment", "abstraction", "version", "artifact", "run"),
    *("offer", "demand", "fit"),
    *("account", "user_group", "token", "invitation", "policy", "decision", "secret"),
    *("metric_latest", "log_chunk", "run_item", "event", "dead_letter"),
)


class RebuildRuns(OSError):
    """Two rebuilds at a time would drop each other's tables."""


Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild found: positions reached, and the tables that differ from the live ones."""

    events: int
    telemetry: int
    differing: list[str]

    @property
    def equal(self) -> bool:
        """Whether every table came out as it was."""
        return not self.differing


def rebuild(
    postgres_url: str,
    nats_url: str,
    layout: Layout | None = None,
    progress: Progress = lambda stream, position, end: None,
) -> Rebuilt:
    """Build all read models anew, compare them with the live ones at one position, and swap."""
    layout = layout or Layout()
    with psycopg.connect(postgres_url, autocommit=True) as alone:
        row = alone.execute("SELECT pg_try_advisory_lock(hashtext('rebuild'))").fetchone()
        if row is None or not row[0]:
            raise RebuildRuns("another rebuild runs: wait for it to end")
        return _rebuild(postgres_url, nats_url, layout, progress)


def renew(postgres_url: str, nats_url: str, layout: Layout | None = None) -> bool:
    """Rebuild the read models if rows of an older release are among them; answers whether."""
    with connect(postgres_url, LIVE) as live:
        upgraded = is_upgraded(live)
    if upgraded:
        rebuild(postgres_url, nats_url, layout)
    return upgraded


def _rebuild(postgres_url: str, nats_url: str, layout: Layout, progress: Progress) -> Rebuilt:
    for schema in (_BEFORE, BESIDE):
        _drop(postgres_url, schema)
    migrate(postgres_url, BESIDE, MIGRATIONS)
    with connect(postgres_url, BESIDE) as beside, connect(postgres_url, LIVE) as live:
        followers: Sequence[AnyFollower] = (
            events_follower(beside, nats_url, layout),
            telemetry_follower(beside, nats_url),
        )
        _catch_up(beside, followers, live, progress)
        with live.transaction():  # holds the live projector at its position until the swap
            close_gate(live)
            ends = _positions(live)
            _catch_up(beside, followers, live, progress)
            differing = compare(live, beside)
            _swap(live)
        for follower in followers:
            follower.close()
    _drop(postgres_url, _BEFORE)
    return Rebuilt(ends["EVENTS"], ends["TELEMETRY"], differing)


def compare(live: Connection, beside: Connection) -> list[str]:
    """Names of the tables whose contents differ."""
    tables = [t for t in _COMPARED_BY_ROW if _table_digest(live, t) != _table_digest(beside, t)]
    return tables + (["metric series"] if _series_digest(live) != _series_digest(beside) else [])


def _catch_up(
    beside: Connection,
    followers: Sequence[AnyFollower],
    live: Connection,
    progress: Progress,
) -> None:
    ends = _positions(live)
    for follower, (stream, end) in zip(followers, ends.items(), strict=True):
        while (position := follower.position()) < end:
            progress(stream, position, end)
            follower.step(stop=end)
            compact(beside)
        progress(stream, end, end)


def _positions(connection: Connection) -> dict[str, int]:
    rows = connection.execute("SELECT stream, position FROM tracking ORDER BY stream").fetchall()
    return {stream: int(position) for stream, position in rows}


def _table_digest(connection: Connection, table: str) -> tuple[int, int]:
    query = sql.SQL(
        "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM {} t"
    ).format(sql.Identifier(table))
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _series_digest(connection: Connection) -> str:
    """SHA-256 over all points of all series, in order, however they are cut."""
    digest = sha256()
    attempts = connection.execute(
        "SELECT run, attempt FROM frame_mark WHERE points > 0 ORDER BY run, attempt"
    ).fetchall()
    for run, attempt in attempts:
        digest.update(f"{run}/{attempt}".encode())
        for key, parts in sorted(read_attempt(connection, run, attempt).items()):
            series = joined(key, parts)
            for array in (series.steps, series.values, series.times):
                digest.update(array.tobytes())
    return digest.hexdigest()


def _swap(connection: Connection) -> None:
    """Renames lock no table: a drop would, and could lock against a reader of two tables."""
    connection.execute(f"ALTER SCHEMA {LIVE} RENAME TO {_BEFORE}")
    connection.execute(f"ALTER SCHEMA {BESIDE} RENAME TO {LIVE}")


def _drop(url: str, schema: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema))
        )
