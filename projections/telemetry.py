"""Folds telemetry frames: metric points into tail rows and latest values, logs into chunks.

A frame is known by its number within the attempt. Frames of an attempt arrive in order, so those
at or below the mark are repeats of a shipment whose acknowledgement was lost, and are dropped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from infra.database import Connection
from infra.event_log.message import LogMessage
from infra.metric_columns import latest_points
from infra.telemetry import Frame, Kind, parse, unpack_log, unpack_status
from projections.batch import upsert

Attempt = tuple[str, int]


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
    metrics = [f for f in fresh if f.frame.kind is Kind.METRICS]
    _store_latest(connection, metrics, marks)
    _store_tail(connection, metrics)
    _store_logs(connection, [f for f in fresh if f.frame.kind is Kind.LOG])
    upsert(connection, "frame_mark", ["run", "attempt"], list(marks.values()))


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
    if read.frame.kind is Kind.METRICS:
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
    latest: dict[tuple[str, str], list[Any]] = {}
    for read in metrics:
        for key, count, step, value, time in latest_points(read.frame.payload):
            marks[read.run, read.attempt]["points"] += count
            known = latest.get((read.run, key))
            before = known[5] if known and known[1] == read.attempt else 0
            point = [key, read.attempt, step, value, time, before + count]
            if known is None or known[1] <= read.attempt:
                latest[read.run, key] = point
    if latest:
        _merge_latest(connection, [(run, *point) for (run, _), point in latest.items()])


def _merge_latest(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    run, key, attempt, step, value, time, points = (list(c) for c in zip(*rows, strict=True))
    connection.execute(
        "INSERT INTO metric_latest AS old (run, key, attempt, step, value, time, points) "
        "SELECT * FROM unnest(%s::text[], %s::text[], %s::int[], %s::bigint[], %s::float8[], "
        "%s::bigint[], %s::bigint[]) "
        "ON CONFLICT (run, key) DO UPDATE SET attempt = EXCLUDED.attempt, step = EXCLUDED.step, "
        "value = EXCLUDED.value, time = EXCLUDED.time, points = EXCLUDED.points + "
        "CASE WHEN old.attempt = EXCLUDED.attempt THEN old.points ELSE 0 END "
        "WHERE old.attempt <= EXCLUDED.attempt",
        (run, key, attempt, step, value, time, points),
    )


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
