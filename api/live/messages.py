"""Messages of the record as server-sent events: encoded once, sent to every listener."""

from dataclasses import asdict, dataclass
from typing import Any

import orjson

from domain import run_events
from domain.run_events import Status
from infra.event_codec import current
from infra.event_log.message import LogMessage
from infra.metric_columns import unpack_series
from infra.telemetry import Kind, parse, unpack_items, unpack_log, unpack_status
from projections.access.event_members import fields_of
from projections.series import finite_or_text

RUN_EVENTS = "ev.run.>"

_STATUS_AFTER = {
    event.TOPIC: status
    for event, status in (
        (run_events.Requested, Status.REQUESTED),
        (run_events.Queued, Status.QUEUED),
        (run_events.Admitted, Status.ADMITTED),
        (run_events.Starting, Status.STARTING),
        (run_events.Running, Status.RUNNING),
        (run_events.AttemptLost, Status.QUEUED),
        (run_events.Preempted, Status.PREEMPTED),
        (run_events.Succeeded, Status.SUCCEEDED),
        (run_events.Failed, Status.FAILED),
        (run_events.Cancelled, Status.CANCELLED),
        (run_events.Lost, Status.LOST),
    )
}


@dataclass(frozen=True, slots=True)
class LiveMessage:
    """One server-sent event without its id, where it stands, and whom it concerns."""

    stream: str  # "e" for events, "t" for telemetry
    position: int
    places: frozenset[str]
    run: str
    body: bytes
    fields: frozenset[str]
    """The fields of the run that it shows, as masks name them."""
    masked_body: bytes | None = None
    """What is told to who may not see one of the fields; nothing by default."""


def of_event(message: LogMessage) -> LiveMessage:
    """A run's event."""
    topic, payload = current(message.topic, orjson.loads(message.payload))
    run = "-".join(message.subject.split(".")[1:3])
    told = {
        "run": run,
        "topic": topic,
        "status": _STATUS_AFTER.get(topic),
        "position": message.position,
        "time": payload["time"],
        "data": payload["data"],
    }
    places = frozenset({run, payload.get("experiment", ""), payload.get("project", "")})
    bare = _encoded("status", {**told, "data": {}})
    fields = fields_of("run", payload["data"])
    return LiveMessage("e", message.position, places, run, _encoded("status", told), fields, bare)


def of_telemetry(message: LogMessage) -> LiveMessage:
    """A frame of a run's telemetry. Raises ValueError for bytes that are no frame."""
    found = parse(message)
    source, frame = found.source, found.frame
    event, told = _TELLERS[frame.kind](frame.payload)
    about = {"run": source.run, "attempt": source.attempt}
    places = frozenset({source.run, source.experiment, source.project})
    body = _encoded(event, {**about, **told})
    fields = _FIELDS.get(frame.kind, frozenset())
    return LiveMessage("t", message.position, places, source.run, body, fields)


def _metrics(payload: bytes) -> tuple[str, dict[str, Any]]:
    series = [
        {"key": s.key, "steps": s.steps, "values": finite_or_text(s.values), "times": s.times}
        for s in unpack_series(payload)
    ]
    return "metrics", {"series": series}


def _hardware(payload: bytes) -> tuple[str, dict[str, Any]]:
    return "hardware", _metrics(payload)[1]


def _log(payload: bytes) -> tuple[str, dict[str, Any]]:
    chunk = unpack_log(payload)
    told = {"stream": chunk.stream, "first_line": chunk.first_line}
    return "log", {**told, "lines": list(chunk.lines), "times": list(chunk.times)}


def _items(payload: bytes) -> tuple[str, dict[str, Any]]:
    batch = unpack_items(payload)
    return "items", {"artifact": batch.artifact, "items": [asdict(item) for item in batch.items]}


def _progress(payload: bytes) -> tuple[str, dict[str, Any]]:
    """What a node tells of its progress, without what the run's events repeat."""
    status = unpack_status(payload)
    told: dict[str, Any] = {
        name: status[name] for name in ("state", "what", "outcome") if name in status
    }
    return "progress", told


_FIELDS = {
    Kind.METRICS: frozenset({"metrics", "series"}),
    Kind.HARDWARE: frozenset({"series"}),
    Kind.LOG: frozenset({"logs"}),
    Kind.ITEMS: frozenset({"items"}),
}
_TELLERS = {
    Kind.METRICS: _metrics,
    Kind.HARDWARE: _hardware,
    Kind.LOG: _log,
    Kind.STATUS: _progress,
    Kind.ITEMS: _items,
}


def _encoded(event: str, data: dict[str, Any]) -> bytes:
    text = orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)
    return b"event: " + event.encode() + b"\ndata: " + text + b"\n\n"
