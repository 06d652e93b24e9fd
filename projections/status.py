"""How far the read models are, and what could not be folded."""

from typing import Any

from infra.database import connect
from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from infra.telemetry import EVERYTHING, STREAM
from projections.rebuild import LIVE

_SHOWN = 100


def status(postgres_url: str, nats_url: str) -> dict[str, Any]:
    """Position and end of each stream, and the first dead letters."""
    streams = {"EVENTS": Layout().everything, STREAM: EVERYTHING}
    with connect(postgres_url, LIVE) as connection:
        rows = connection.execute("SELECT stream, position FROM tracking").fetchall()
        letters = connection.execute(
            "SELECT stream, position, entity, topic, error FROM dead_letter "
            "ORDER BY stream, position LIMIT %s",
            (_SHOWN,),
        ).fetchall()
    names = ("stream", "position", "entity", "topic", "error")
    return {
        "streams": {
            stream: {"position": position, "end": _end(nats_url, stream, streams[stream])}
            for stream, position in rows
        },
        "dead_letters": [dict(zip(names, letter, strict=True)) for letter in letters],
    }


def _end(nats_url: str, stream: str, subjects: str) -> int:
    with BulkReader(nats_url, stream) as reader:
        last = reader.last(subjects)
    return last.position if last else 0
