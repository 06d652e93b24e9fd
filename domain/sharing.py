"""Sharing: who besides its owner and the members of its project may see an entity, and from when.

What a visibility opens is for the policies to say; the record holds what was wished.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from domain.aggregate import Aggregate
from domain.entity import Entity
from domain.errors import Invalid
from domain.moment import checked_moment
from domain.text import checked_id

MAX_SHARES = 100


class Visibility(StrEnum):
    """How far an entity can be seen, besides by those it is shared with."""

    PRIVATE = "private"
    PROJECT = "project"
    PUBLIC = "public"


class Shareable(Entity):
    """A named entity with a visibility, groups and users it is shared with, and an embargo."""

    SHARED_EVENTS = Entity.SHARED_EVENTS | {"Shared", "Embargoed"}

    class Shared(Aggregate.Event):
        """The visibility and all groups and users it is shared with, as they are from now on."""

        visibility: str
        groups: list[str]
        users: list[str]

        def apply(self, aggregate: "Shareable") -> None:
            """Share it so."""
            aggregate.visibility = Visibility(self.visibility)
            aggregate.groups = self.groups
            aggregate.users = self.users

    class Embargoed(Aggregate.Event):
        """Held back until then (ISO 8601 in UTC); null lifts the embargo."""

        until: str | None

        def apply(self, aggregate: "Shareable") -> None:
            """Take the time."""
            aggregate.embargo_until = datetime.fromisoformat(self.until) if self.until else None

    def share(self, visibility: str, groups: Iterable[str], users: Iterable[str]) -> None:
        """Replace the visibility, and the groups and users it is shared with. Raises Invalid."""
        self.require_open()
        wanted = (
            _checked_visibility(visibility),
            _checked_ids(groups, "group"),
            _checked_ids(users, "user"),
        )
        if wanted != (self.visibility, self.groups, self.users):
            seen, groups, users = wanted
            self.trigger_event(self.Shared, visibility=str(seen), groups=groups, users=users)

    def embargo(self, until: datetime | None) -> None:
        """Hold back until a time with a zone, or with None no longer. Raises Invalid."""
        self.require_open()
        text = None if until is None else checked_moment(until, "until")
        if until != self.embargo_until:
            self.trigger_event(self.Embargoed, until=text)

    def _begin(self, name: str, description: str, project: str | None) -> None:
        super()._begin(name, description, project)
        self.visibility = Visibility.PRIVATE
        self.groups: list[str] = []
        self.users: list[str] = []
        self.embargo_until: datetime | None = None


def _checked_visibility(visibility: str) -> Visibility:
    try:
        return Visibility(visibility)
    except ValueError:
        known = ", ".join(Visibility)
        raise Invalid(f"{visibility!r} is not one of {known}", field="visibility") from None


def _checked_ids(ids: Iterable[str], kind: str) -> list[str]:
    """The ids, each once, in order."""
    found = sorted({checked_id(id_, kind) for id_ in ids})
    if len(found) > MAX_SHARES:
        raise Invalid(f"{len(found)} {kind}s, at most {MAX_SHARES}", field=f"{kind}s")
    return found
