"""What belongs to one run besides its row: newest metrics, points stored, log lines, items."""

from math import isfinite
from typing import Any

from infra.database import Connection
from policies.access import Permit

_LINES = (
    "SELECT first_line + o - 1, line #>> '{}', time::text::bigint FROM log_chunk, "
    "jsonb_array_elements(lines) WITH ORDINALITY AS l(line, o) "
    "JOIN LATERAL jsonb_array_element(times, (o - 1)::int) AS time ON true "
    "WHERE run = %s AND attempt = %s AND stream = %s "
    "AND first_line + jsonb_array_length(lines) > %s AND first_line + o - 1 > %s "
    "ORDER BY 1 LIMIT %s"
)

_ITEM = (
    *("number", "name", "kind", "step", "time"),
    *("artifact", "path", "media", "size", "meta"),
)
_ITEMS = (
    f"SELECT {', '.join(_ITEM)} FROM run_item WHERE run = %s AND attempt = %s AND number > %s "
    "AND (%s::text IS NULL OR name = %s) AND (%s::text IS NULL OR kind = %s) "
    "ORDER BY number LIMIT %s"
)


def latest_metrics(connection: Connection, permit: Permit) -> list[dict[str, Any]]:
    """The newest point of each key with the lowest and highest value of its attempt, by key.

    Non-finite values are text; `low` and `high` are null where all values are NaN.
    """
    rows = connection.execute(
        "SELECT key, attempt, step, value, time, points, low, high FROM metric_latest "
        "WHERE run = %s ORDER BY key",
        (permit.entity,),
    ).fetchall()
    names = ("key", "attempt", "step", "value", "time", "points", "low", "high")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for item in found:
        item.update({name: _as_json(item[name]) for name in ("value", "low", "high")})
    return found


def _as_json(value: float | None) -> float | str | None:
    return value if value is None or isfinite(value) else str(value)


def points_stored(connection: Connection, permit: Permit, attempt: int) -> int:
    """How many metric points of an attempt can be queried."""
    row = connection.execute(
        "SELECT points FROM frame_mark WHERE run = %s AND attempt = %s", (permit.entity, attempt)
    ).fetchone()
    return int(row[0]) if row else 0


def log_lines(
    connection: Connection, permit: Permit, attempt: int, stream: str, after: int, limit: int
) -> list[dict[str, Any]]:
    """At most `limit` lines behind line number `after`; times in Unix milliseconds."""
    place = (permit.entity, attempt, stream, after, after, limit)
    rows = connection.execute(_LINES, place).fetchall()
    return [{"line": line, "text": text, "time": time} for line, text, time in rows]


def logged_items(
    connection: Connection,
    permit: Permit,
    attempt: int,
    name: str | None,
    kind: str | None,
    after: int,
    limit: int,
) -> list[dict[str, Any]]:
    """At most `limit` items behind number `after`, of a name and a kind if these are given."""
    place = (permit.entity, attempt, after, name, name, kind, kind, limit)
    rows = connection.execute(_ITEMS, place).fetchall()
    return [dict(zip(_ITEM, row, strict=True)) for row in rows]
