"""What belongs to one run besides its row: newest metrics, points stored, log lines."""

from typing import Any

from infra.database import Connection

_LINES = (
    "SELECT first_line + o - 1, line #>> '{}', time::text::bigint FROM log_chunk, "
    "jsonb_array_elements(lines) WITH ORDINALITY AS l(line, o) "
    "JOIN LATERAL jsonb_array_element(times, (o - 1)::int) AS time ON true "
    "WHERE run = %s AND attempt = %s AND stream = %s "
    "AND first_line + jsonb_array_length(lines) > %s AND first_line + o - 1 > %s "
    "ORDER BY 1 LIMIT %s"
)


def latest_metrics(connection: Connection, run: str) -> list[dict[str, Any]]:
    """The newest point of each key, ordered by key; non-finite values as text."""
    rows = connection.execute(
        "SELECT key, attempt, step, value, time, points FROM metric_latest WHERE run = %s "
        "ORDER BY key",
        (run,),
    ).fetchall()
    names = ("key", "attempt", "step", "value", "time", "points")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for item in found:
        value = item["value"]
        item["value"] = value if abs(value) <= _LARGEST else str(value)
    return found


_LARGEST = 1.7976931348623157e308  # of float64: beyond it, and for NaN, JSON has no number


def points_stored(connection: Connection, run: str, attempt: int) -> int:
    """How many metric points of an attempt can be queried."""
    row = connection.execute(
        "SELECT points FROM frame_mark WHERE run = %s AND attempt = %s", (run, attempt)
    ).fetchone()
    return int(row[0]) if row else 0


def log_lines(
    connection: Connection, run: str, attempt: int, stream: str, after: int, limit: int
) -> list[dict[str, Any]]:
    """At most `limit` lines behind line number `after`; times in Unix milliseconds."""
    rows = connection.execute(_LINES, (run, attempt, stream, after, after, limit)).fetchall()
    return [{"line": line, "text": text, "time": time} for line, text, time in rows]
