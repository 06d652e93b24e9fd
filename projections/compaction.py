"""Turns the metric frames of an attempt into one chunk per key, in a transaction of its own.

Frames hold a few points of many keys; a chart wants many points of one. An attempt is compacted
when its tail has grown, and once more when it has ended.
"""

from collections import defaultdict

from infra.database import Connection
from infra.metric_columns import Series, joined, pack_series, unpack_series
from projections.batch import pass_gate
from projections.blocks import summary

MAX_TAIL_FRAMES = 400
MAX_TAIL_BYTES = 1 << 20
_ATTEMPTS_AT_ONCE = 32


def compact(connection: Connection) -> int:
    """Compact attempts that are due; answers how many. Safe beside other projectors."""
    due = connection.execute(
        "SELECT run, attempt FROM frame_mark WHERE tail_frames > 0 AND "
        "(ended OR tail_frames > %s OR tail_bytes > %s) LIMIT %s",
        (MAX_TAIL_FRAMES, MAX_TAIL_BYTES, _ATTEMPTS_AT_ONCE),
    ).fetchall()
    for run, attempt in due:
        with connection.transaction():
            pass_gate(connection)
            _compact_attempt(connection, run, attempt)
    return len(due)


def _compact_attempt(connection: Connection, run: str, attempt: int) -> None:
    connection.execute(
        "UPDATE frame_mark SET tail_frames = 0, tail_bytes = 0 WHERE run = %s AND attempt = %s",
        (run, attempt),
    )
    rows = connection.execute(
        "DELETE FROM metric_tail WHERE run = %s AND attempt = %s RETURNING seq, payload",
        (run, attempt),
    ).fetchall()
    chunks = [
        (run, attempt, key, seq, len(series.values), pack_series(series), summary(series))
        for key, (seq, series) in _by_key(sorted(rows)).items()
    ]
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY metric_chunk FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(["text", "int4", "text", "int8", "int4", "bytea", "bytea"])
        for chunk in chunks:
            copy.write_row(chunk)


def _by_key(frames: list[tuple[int, bytes]]) -> dict[str, tuple[int, Series]]:
    """Per key, the number of its first frame and all its points in order."""
    parts: dict[str, list[tuple[int, Series]]] = defaultdict(list)
    for seq, payload in frames:
        for series in unpack_series(payload):
            parts[series.key].append((seq, series))
    return {
        key: (found[0][0], joined(key, (series for _, series in found)))
        for key, found in parts.items()
    }
