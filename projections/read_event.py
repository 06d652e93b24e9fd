"""An event as the read side sees it: plain data, no classes, any age brought up to date."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from domain.plain_data import flaw
from infra.event_codec import current
from infra.event_log.layout import Layout
from infra.event_log.message import LogMessage

_NUL = b"\\u0000"  # as JSON writes it; a cheap first look


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """One event; `payload` holds the envelope, `data` what happened."""

    position: int
    entity: str
    version: int
    topic: str
    payload: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        """What happened."""
        data: dict[str, Any] = self.payload["data"]
        return data

    @property
    def actor(self) -> str:
        """Who caused it."""
        return str(self.payload["actor"])

    @property
    def time(self) -> str:
        """When, as ISO 8601."""
        return str(self.payload["time"])


def read_event(layout: Layout, message: LogMessage) -> ReadEvent:
    """Decode a message of the log.

    Raises ValueError, LookupError or TypeError for bytes that are no event, and for values that no
    table can hold: a later event of the same batch could cover them, and a rebuild would differ.
    """
    entity, version = layout.parse(message.subject)
    topic, payload = current(message.topic, orjson.loads(message.payload))
    datetime.fromisoformat(payload["time"])
    if _NUL in message.payload and (found := flaw(payload)):
        raise ValueError(f"{found[0]} {found[1]}")
    return ReadEvent(message.position, str(entity), version, topic, payload)
