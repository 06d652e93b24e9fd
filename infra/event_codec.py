"""Domain events to stored bytes and back: stable topics, an envelope, upcasters.

A stored payload is JSON `{"data": {...}, "actor": ..., "time": ..., "request": ..., ...}`; the
topic travels as a header. No Python path is ever stored.
"""

from datetime import datetime
from typing import Any

import orjson
from eventsourcing.domain import CanInitAggregate
from eventsourcing.persistence import StoredEvent
from eventsourcing.utils import get_topic, resolve_topic

from domain.aggregate import AggregateEvent, Context
from domain.upcasters import UPCASTERS

_IN_THE_SUBJECT_OR_ENVELOPE = (
    "originator_id",
    "originator_version",
    "originator_topic",
    "timestamp",
)


def encode(event: AggregateEvent, context: Context, scope: dict[str, str]) -> StoredEvent:
    """An event with its envelope, as the log stores it.

    `scope` names the project and experiment the aggregate belongs to, for routing and audit.
    """
    data = {k: v for k, v in vars(event).items() if k not in _IN_THE_SUBJECT_OR_ENVELOPE}
    payload = {"data": data, **context.envelope(), **scope}
    return StoredEvent(
        originator_id=event.originator_id,
        originator_version=event.originator_version,
        topic=get_topic(type(event)),
        state=orjson.dumps(payload),
    )


def current(topic: str, payload: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Topic and payload brought up to the newest version of the topic."""
    while upcaster := UPCASTERS.get(topic):
        topic, data = upcaster(payload["data"])
        payload = {**payload, "data": data}
    return topic, payload


def decode(event_id: str, version: int, topic: str, state: bytes) -> AggregateEvent:
    """The domain event that was stored, as its newest class."""
    topic, payload = current(topic, orjson.loads(state))
    event_class: type[AggregateEvent] = resolve_topic(topic)
    members = payload["data"]
    members["originator_id"] = event_id
    members["originator_version"] = version
    members["timestamp"] = datetime.fromisoformat(payload["time"])
    if issubclass(event_class, CanInitAggregate):
        members["originator_topic"] = topic.partition(".")[0]
    event: AggregateEvent = object.__new__(event_class)
    object.__setattr__(event, "__dict__", members)
    return event
