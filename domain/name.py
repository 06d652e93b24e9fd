"""Reservations that keep names unique within a project and kind.

A reservation is an aggregate of its own whose id is the digest of what it reserves, so two
creations under one name collide on one event, whatever else they write.
"""

from hashlib import sha256

from eventsourcing.domain import event

from domain.aggregate import Aggregate, AggregateCreated
from domain.errors import Conflict


def reservation_id(scope: str, kind: str, name: str) -> str:
    """Id of the reservation of a name; names that differ only in case are the same."""
    place = "\n".join((scope, kind, name.casefold()))
    return f"name-{sha256(place.encode()).hexdigest()[:40]}"


class NameReservation(Aggregate):
    """Who holds a name, if anybody."""

    TOPIC = "name"

    class Reserved(AggregateCreated):
        """The name was taken for the first time."""

        TOPIC = "name.reserved.v1"
        holder: str

    class Taken(Aggregate.Event):
        """A free name was taken again."""

        TOPIC = "name.taken.v1"
        holder: str

        def apply(self, aggregate: "NameReservation") -> None:
            """Hold it."""
            aggregate.holder = self.holder

    class Released(Aggregate.Event):
        """The name is free."""

        TOPIC = "name.released.v1"

        def apply(self, aggregate: "NameReservation") -> None:
            """Let it go."""
            aggregate.holder = None

    @classmethod
    def reserve(cls, id_: str, holder: str) -> "NameReservation":
        """Take a name for the first time."""
        return cls._create(cls.Reserved, id=id_, holder=holder)

    @event(Reserved)
    def __init__(self, holder: str) -> None:
        self.holder: str | None = holder

    def take(self, holder: str) -> None:
        """Take a free name. Raises Conflict when somebody holds it."""
        if self.holder is not None:
            raise Conflict("this name is taken", code="name-taken")
        self.trigger_event(self.Taken, holder=holder)

    def release(self) -> None:
        """Free the name."""
        self.trigger_event(self.Released)
