"""Folds telemetry frames: metric points into tail rows and latest values, logs, logged items.

What nodes measure of a step is kept beside its metrics under keys of its own; it counts neither
among the points that the run's end proves nor among its newest values.

A frame is known by its number within the attempt. Frames of an attempt arrive in order, so those
at or below the mark are repeats of a shipment whose acknowledgement was lost, and are dropped.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from domain.plain_data import storable
from infra.database import Connection
from infra.event_log.message import LogMessage
from infra.metric_columns import HARDWARE_PREFIX, LatestPoint, latest_points
from infra.telemetry import Frame, Kind, parse, unpack_items, unpack_log, unpack_status
from projections.batch import upsert

Attempt = tuple[str, int]

_MEASURED = re.compile(re.escape(HARDWARE_PREFIX) + r"[a-z0-9_]{1,64}")
_IN_TAIL = (Kind.METRICS, Kind.HARDWARE)

_MERGE_LATEST = """
INSERT INTO metric_latest AS old (run, attempt, key, points, step, value, time, low, high)
SELECT * FROM unnest(%s::text[], %s::int[], %s::text[], %s::bigint[], %s::bigint[], %s::float8[],
    %s::bigint[], %s::float8[], %s::float8[])
ON CONFLICT (run, key) DO UPDATE SET
    attempt = EXCLUDED.attempt, step = EXCLUDED.step, value = EXCLUDED.value, time = EXCLUDED.time,
    points = EXCLUDED.points + CASE WHEN old.attempt = EXCLUDED.attempt THEN old.points ELSE 0 END,
    low = least(EXCLUDED.low, CASE WHEN old.attempt = EXCLUDED.attempt THEN old.low END),
    high = greatest(EXCLUDED.high, CASE WHEN old.attempt = EXCLUDED.attempt THEN old.high END)
WHERE old.attempt <= EXCLUDED.attempt
"""


@dataclass(frozen=True, slots=True)
class ReadFrame:
    """A telemetry message on its way into the read models; undecoded until it is folded."""

    position: int
    entity: str  # the attempt: a bad frame holds back its attempt's telemetry, not the run
    topic: str
    run: str
    attempt: int
    frame: Frame


def read_frame(message: LogMessage) -> ReadFrame:
    """A message of the telemetry stream. Raises ValueError for bytes that are no frame."""
    found = parse(message)
    source, frame = found.source, found.frame
    entity = f"{source.run}/{source.attempt}"
    topic = f"telemetry.{frame.kind.name.lower()}"
    return ReadFrame(found.position, entity, topic, source.run, source.attempt, frame)


def attempt_of(message: LogMessage) -> str:
    """The attempt that a message's subject names, whatever the message holds."""
    return "/".join(message.subject.split(".")[4:6])


def fold_frames(connection: Connection, frames: Sequence[ReadFrame]) -> None:
    """Fold a batch of frames in stream order."""
    marks = _marks(connection, {(f.run, f.attempt) for f in frames})
    fresh = [f for f in frames if _advance(marks[f.run, f.attempt], f)]
    for read in fresh:
        if read.frame.kind is Kind.HARDWARE:
            _check_hardware(read)
    _store_latest(connection, [f for f in fresh if f.frame.kind is Kind.METRICS], marks)
    _store_tail(connection, [f for f in fresh if f.frame.kind in _IN_TAIL])
    _store_logs(connection, [f for f in fresh if f.frame.kind is Kind.LOG])
    _store_items(connection, [f for f in fresh if f.frame.kind is Kind.ITEMS])
    upsert(connection, "frame_mark", ["run", "attempt"], list(marks.values()))


def _check_hardware(read: ReadFrame) -> None:
    """Raises ValueError for what a node cannot have measured: series of the step's own."""
    for point in latest_points(read.frame.payload):
        if not _MEASURED.fullmatch(point.key):
            raise ValueError(f"{point.key!r} is nothing that a node measures")


def _marks(connection: Connection, attempts: set[Attempt]) -> dict[Attempt, dict[str, Any]]:
    rows = connection.execute(
        "SELECT to_jsonb(t) FROM frame_mark t WHERE run = ANY(%s)", ([run for run, _ in attempts],)
    ).fetchall()
    known = {(row["run"], row["attempt"]): row for (row,) in rows}
    return {attempt: known.get(attempt) or _new_mark(*attempt) for attempt in attempts}


def _new_mark(run: str, attempt: int) -> dict[str, Any]:
    counts = dict.fromkeys(("seq", "points", "tail_frames", "tail_bytes"), 0)
    return {"run": run, "attempt": attempt, **counts, "ended": False}


def _advance(mark: dict[str, Any], read: ReadFrame) -> bool:
    """Move the mark to a frame not seen before; False for a repeat."""
    if read.frame.seq <= mark["seq"]:
        return False
    mark["seq"] = read.frame.seq
    if read.frame.kind in _IN_TAIL:
        mark["tail_frames"] += 1
        mark["tail_bytes"] += len(read.frame.payload)
    elif read.frame.kind is Kind.STATUS:
        mark["ended"] = mark["ended"] or unpack_status(read.frame.payload).get("state") == "ended"
    return True


def _store_tail(connection: Connection, metrics: Sequence[ReadFrame]) -> None:
    if not metrics:
        return
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY metric_tail FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(["text", "int4", "int8", "bytea"])
        for read in metrics:
            copy.write_row((read.run, read.attempt, read.frame.seq, read.frame.payload))


def _store_latest(
    connection: Connection,
    metrics: Sequence[ReadFrame],
    marks: dict[Attempt, dict[str, Any]],
) -> None:
    """The newest point of each key, and the number of points, of what is in these frames."""
    latest: dict[tuple[str, str], tuple[int, LatestPoint]] = {}
    for read in metrics:
        for point in latest_points(read.frame.payload):
            marks[read.run, read.attempt]["points"] += point.points
            known, before = latest.get((read.run, point.key), (0, point))
            if known <= read.attempt:
                newer = _after(before, point) if known == read.attempt else point
                latest[read.run, point.key] = read.attempt, newer
    if latest:
        _merge_latest(connection, [(run, *found) for (run, _), found in latest.items()])


def _after(before: LatestPoint, point: LatestPoint) -> LatestPoint:
    """The point, with what came before it in the same attempt counted in."""
    lows = [low for low in (before.low, point.low) if low is not None]
    highs = [high for high in (before.high, point.high) if high is not None]
    return point._replace(
        points=before.points + point.points,
        low=min(lows, default=None),
        high=max(highs, default=None),
    )


def _merge_latest(connection: Connection, found: Iterable[tuple[str, int, LatestPoint]]) -> None:
    rows = [(run, attempt, *point) for run, attempt, point in found]
    connection.execute(_MERGE_LATEST, [list(column) for column in zip(*rows, strict=True)])


def _store_logs(connection: Connection, logs: Sequence[ReadFrame]) -> None:
    rows = []
    for read in logs:
        chunk = unpack_log(read.frame.payload)
        rows.append(
            {
                "run": read.run,
                "attempt": read.attempt,
                "stream": chunk.stream,
                "first_line": chunk.first_line,
                "lines": [line.replace("\0", "�") for line in chunk.lines],
                "times": list(chunk.times),
            }
        )
    upsert(connection, "log_chunk", ["run", "attempt", "stream", "first_line"], rows)


def _store_items(connection: Connection, found: Sequence[ReadFrame]) -> None:
    rows: dict[tuple[str, int, int], dict[str, Any]] = {}
    for read in found:
        batch = unpack_items(read.frame.payload)
        place = {"run": read.run, "attempt": read.attempt, "artifact": batch.artifact}
        for item in batch.items:
            rows[read.run, read.attempt, item.number] = storable({**asdict(item), **place})
    upsert(connection, "run_item", ["run", "attempt", "number"], list(rows.values()))
