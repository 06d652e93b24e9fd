"""What every named entity can do: be renamed, described, tagged, archived and restored."""

from typing import Any

from eventsourcing.domain import MetaDomainEvent

from domain.aggregate import Aggregate
from domain.errors import Conflict
from domain.text import checked_name, checked_tags, checked_text


class Entity(Aggregate):
    """A named aggregate. Each subclass with a topic gets the shared events under that topic."""

    SHARED_EVENTS = frozenset({"Renamed", "Described", "Tagged", "Archived", "Restored"})

    class Renamed(Aggregate.Event):
        """The name changed; the reservation of the old one is released in the same save."""

        name: str

        def apply(self, aggregate: "Entity") -> None:
            """Take the new name."""
            aggregate.name = self.name

    class Described(Aggregate.Event):
        """The description changed."""

        description: str

        def apply(self, aggregate: "Entity") -> None:
            """Take the new description."""
            aggregate.description = self.description

    class Tagged(Aggregate.Event):
        """All tags, as they are from now on."""

        tags: dict[str, str]

        def apply(self, aggregate: "Entity") -> None:
            """Take the new tags."""
            aggregate.tags = self.tags

    class Archived(Aggregate.Event):
        """Hidden from lists and closed to changes, kept for ever."""

        def apply(self, aggregate: "Entity") -> None:
            """Close it."""
            aggregate.archived = True

    class Restored(Aggregate.Event):
        """Back from the archive."""

        def apply(self, aggregate: "Entity") -> None:
            """Open it again."""
            aggregate.archived = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "TOPIC" in vars(cls):
            for name in cls.SHARED_EVENTS:
                setattr(cls, name, _under_topic(getattr(cls, name), cls))
        super().__init_subclass__(**kwargs)

    def rename(self, name: str) -> None:
        """Give another name; the caller reserves it in the same save."""
        self.require_open()
        if name != self.name:
            self.trigger_event(self.Renamed, name=checked_name(name))

    def describe(self, description: str) -> None:
        """Replace the description."""
        self.require_open()
        if description != self.description:
            text = checked_text(description, "description")
            self.trigger_event(self.Described, description=text)

    def tag(self, tags: dict[str, str]) -> None:
        """Replace all tags."""
        self.require_open()
        if tags != self.tags:
            self.trigger_event(self.Tagged, tags=checked_tags(tags))

    def archive(self) -> None:
        """Hide from lists and close to changes."""
        self.require_open()
        self.trigger_event(self.Archived)

    def restore(self) -> None:
        """Undo `archive`."""
        if not self.archived:
            raise Conflict("not archived, so there is nothing to restore", id=self.id)
        self.trigger_event(self.Restored)

    def require_open(self) -> None:
        """Raise Conflict when archived."""
        if self.archived:
            raise Conflict("archived: restore it before changing it", id=self.id)

    def _begin(self, name: str, description: str, project: str | None) -> None:
        """Set the shared state at birth."""
        self.name = name
        self.description = description
        self.project = project
        self.tags: dict[str, str] = {}
        self.archived = False


def _under_topic(event: type, owner: type[Aggregate]) -> type:
    """The shared event as a class of the owner, under the owner's topic."""
    topic = f"{owner.__dict__['TOPIC']}.{event.__name__.lower()}.v1"
    meaning = next(base.__doc__ for base in event.__mro__ if "apply" in vars(base))
    members = {"TOPIC": topic, "__module__": owner.__module__, "__doc__": meaning}
    return MetaDomainEvent(event.__name__, (event,), members)
