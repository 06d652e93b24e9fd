"""Who administers the platform, as one aggregate: so that two removals at once cannot empty it."""

from collections.abc import Iterable

from eventsourcing.domain import event

from domain.aggregate import Aggregate, AggregateCreated
from domain.errors import Conflict, Invalid
from domain.text import checked_id

ADMINISTRATORS = "administrators-00000000-0000-7000-8000-000000000000"


class Administrators(Aggregate):
    """The enabled users who administer the platform: at least one, always."""

    TOPIC = "administrators"

    class Begun(AggregateCreated):
        """The administrators at the time the list was begun."""

        TOPIC = "administrators.begun.v1"
        users: list[str]

    class Added(Aggregate.Event):
        """One more administrator."""

        TOPIC = "administrators.added.v1"
        user: str

        def apply(self, aggregate: "Administrators") -> None:
            """Count in."""
            aggregate.users = sorted({*aggregate.users, self.user})

    class Removed(Aggregate.Event):
        """One administrator less; others remain."""

        TOPIC = "administrators.removed.v1"
        user: str

        def apply(self, aggregate: "Administrators") -> None:
            """Count out."""
            aggregate.users = [user for user in aggregate.users if user != self.user]

    @classmethod
    def begin(cls, users: Iterable[str]) -> "Administrators":
        """Begin the one list there is. Raises Invalid when it would be empty."""
        found = sorted({checked_id(user, "user") for user in users})
        if not found:
            raise Invalid("a platform needs an administrator", field="users")
        return cls._create(cls.Begun, id=ADMINISTRATORS, users=found)

    @event(Begun)
    def __init__(self, users: list[str]) -> None:
        self.users = users

    def add(self, user: str) -> None:
        """Add one; nothing happens to one who is there."""
        if checked_id(user, "user") not in self.users:
            self.trigger_event(self.Added, user=user)

    def remove(self, user: str) -> None:
        """Remove one; nothing happens to one who is not there.

        Raises Conflict `last-administrator` when nobody would be left.
        """
        if user not in self.users:
            return
        if len(self.users) == 1:
            raise Conflict(
                "the last administrator cannot go: name another one first",
                code="last-administrator",
                id=user,
            )
        self.trigger_event(self.Removed, user=user)
