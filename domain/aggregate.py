"""What all aggregates and events share: string ids, explicit topics, the context of a command."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eventsourcing.domain import (
    BaseAggregate,
    CanInitAggregate,
    CanMutateAggregate,
    MetaDomainEvent,
)


@dataclass(frozen=True)
class AggregateEvent(CanMutateAggregate[str], metaclass=MetaDomainEvent):
    """Something that happened; `apply` assigns and cannot fail."""

    originator_id: str
    originator_version: int
    timestamp: datetime


@dataclass(frozen=True)
class AggregateCreated(CanInitAggregate[str], AggregateEvent):
    """The first event of an aggregate."""

    originator_topic: str


class Aggregate(BaseAggregate[str]):
    """A consistency boundary: a command checks, then emits; rules never read timestamps.

    `created_by` is the actor of the first event, known once it is saved: whoever loads, sets it.
    """

    created_by = ""  # not annotated: the library would make a dataclass of it

    class Event(AggregateEvent):
        """Base of an aggregate's events; the first one is an AggregateCreated."""


@dataclass(frozen=True, slots=True)
class Context:
    """Who causes an event, when, and from which request: the envelope of what a command emits."""

    actor: str
    time: datetime
    request: str
    causation: str | None = None
    correlation: str | None = None
    idempotency_key: str | None = None

    def envelope(self) -> dict[str, Any]:
        """The members to store with each event, without the empty ones."""
        members = {
            "actor": self.actor,
            "time": self.time.isoformat(),
            "request": self.request,
            "causation": self.causation,
            "correlation": self.correlation,
            "key": self.idempotency_key,
        }
        return {name: value for name, value in members.items() if value is not None}
