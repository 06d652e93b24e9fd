"""Groups of users: what is shared with a group, and its roles, hold for all its members."""

from typing import Any

from eventsourcing.domain import event

from domain import role as roles
from domain.aggregate import Aggregate, AggregateCreated
from domain.attributes import are_same, checked_attributes
from domain.entity import Entity
from domain.text import checked_id, checked_name, checked_text


class Group(Entity):
    """A named group; who belongs to it stands with the users."""

    TOPIC = "group"

    class Created(AggregateCreated):
        """A group was opened."""

        TOPIC = "group.created.v1"
        name: str
        description: str

    class AttributesChanged(Aggregate.Event):
        """All attributes, as they are from now on: they limit what runs for the group may have."""

        TOPIC = "group.attributes_changed.v1"
        attributes: dict[str, Any]

        def apply(self, aggregate: "Group") -> None:
            """Take the new attributes."""
            aggregate.attributes = self.attributes

    class RoleGranted(roles.RoleGranted):
        """All members hold this role in the project."""

        TOPIC = "group.role_granted.v1"

    class RoleRevoked(roles.RoleRevoked):
        """Membership gives no role in the project any more."""

        TOPIC = "group.role_revoked.v1"

    @classmethod
    def create(cls, id_: str, name: str, description: str = "") -> "Group":
        """Open a group; its name is unique on the platform. Raises Invalid."""
        return cls._create(
            cls.Created,
            id=checked_id(id_, "group"),
            name=checked_name(name),
            description=checked_text(description, "description"),
        )

    @event(Created)
    def __init__(self, name: str, description: str) -> None:
        self._begin(name, description, project=None)
        self.roles: dict[str, str] = {}
        self.attributes: dict[str, Any] = {}

    def change_attributes(self, attributes: dict[str, Any]) -> None:
        """Replace all attributes. Raises Invalid."""
        self.require_open()
        if not are_same(checked_attributes(attributes), self.attributes):
            self.trigger_event(self.AttributesChanged, attributes=attributes)

    def grant_role(self, project: str, role: str) -> None:
        """Give all members a role in a project, in place of the group's other one there."""
        self.require_open()
        if roles.is_new_grant(self.roles, project, role):
            self.trigger_event(self.RoleGranted, project=project, role=role)

    def revoke_role(self, project: str) -> None:
        """Take the group's role in a project away; nothing happens where it has none."""
        self.require_open()
        if project in self.roles:
            self.trigger_event(self.RoleRevoked, project=project)
