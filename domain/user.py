"""People and service accounts: who acts, in which groups, with which roles and attributes."""

from typing import Any

from eventsourcing.domain import event

from domain import role as roles
from domain.aggregate import Aggregate, AggregateCreated
from domain.artifact import checked_reason
from domain.attributes import are_same, checked_attributes
from domain.errors import Conflict
from domain.text import checked_id

MAX_GROUPS = 200


class User(Aggregate):
    """Somebody who acts. Names and mail are sealed: the record holds ciphertext only."""

    TOPIC = "user"

    class Registered(AggregateCreated):
        """A person or a service was registered; `profile` is sealed under the person's key."""

        TOPIC = "user.registered.v2"
        profile: str
        attributes: dict[str, Any]
        service: bool

    class AttributesChanged(Aggregate.Event):
        """All attributes, as they are from now on."""

        TOPIC = "user.attributes_changed.v1"
        attributes: dict[str, Any]

        def apply(self, aggregate: "User") -> None:
            """Take the new attributes."""
            aggregate.attributes = self.attributes

    class Disabled(Aggregate.Event):
        """The user may no longer sign in."""

        TOPIC = "user.disabled.v1"

        def apply(self, aggregate: "User") -> None:
            """Shut out."""
            aggregate.enabled = False

    class Enabled(Aggregate.Event):
        """The user may sign in again."""

        TOPIC = "user.enabled.v1"

        def apply(self, aggregate: "User") -> None:
            """Let in."""
            aggregate.enabled = True

    class Joined(Aggregate.Event):
        """The user belongs to a group."""

        TOPIC = "user.joined.v1"
        group: str

        def apply(self, aggregate: "User") -> None:
            """Count in."""
            aggregate.groups = sorted({*aggregate.groups, self.group})

    class Left(Aggregate.Event):
        """The user no longer belongs to a group."""

        TOPIC = "user.left.v1"
        group: str

        def apply(self, aggregate: "User") -> None:
            """Count out."""
            aggregate.groups = [group for group in aggregate.groups if group != self.group]

    class RoleGranted(roles.RoleGranted):
        """The user holds this role in the project."""

        TOPIC = "user.role_granted.v1"

    class RoleRevoked(roles.RoleRevoked):
        """The user holds no role of their own in the project any more."""

        TOPIC = "user.role_revoked.v1"

    class PasswordSet(Aggregate.Event):
        """A password was chosen; `digest` is that of its argon2 string, which is kept elsewhere."""

        TOPIC = "user.password_set.v1"
        digest: str

        def apply(self, aggregate: "User") -> None:
            """Take the digest."""
            aggregate.password_digest = self.digest

    class Erased(Aggregate.Event):
        """The key of the person's sealed text is destroyed, for `reason`; there is no way back."""

        TOPIC = "user.erased.v1"
        reason: str

        def apply(self, aggregate: "User") -> None:
            """Nobody reads the text any more."""
            aggregate.erased = True

    @classmethod
    def register(
        cls, id_: str, profile: str, attributes: dict[str, Any], service: bool = False
    ) -> "User":
        """Register a person or a service account with a sealed profile. Raises Invalid."""
        return cls._create(
            cls.Registered,
            id=checked_id(id_, "user"),
            profile=profile,
            attributes=checked_attributes(attributes),
            service=service,
        )

    @event(Registered)
    def __init__(self, profile: str, attributes: dict[str, Any], service: bool) -> None:
        self.profile = profile
        self.attributes = attributes
        self.service = service
        self.enabled = True
        self.groups: list[str] = []
        self.roles: dict[str, str] = {}
        self.password_digest: str | None = None
        self.erased = False

    @property
    def is_administrator(self) -> bool:
        """Whether the user may do anything."""
        return self.enabled and self.attributes.get("admin") is True

    def change_attributes(self, attributes: dict[str, Any]) -> None:
        """Replace all attributes. Raises Invalid."""
        if not are_same(checked_attributes(attributes), self.attributes):
            self.trigger_event(self.AttributesChanged, attributes=attributes)

    def disable(self) -> None:
        """Shut the user out; raises Conflict when already so."""
        if not self.enabled:
            raise Conflict("this user is disabled already", id=self.id)
        self.trigger_event(self.Disabled)

    def enable(self) -> None:
        """Let the user in again; raises Conflict when not shut out, or erased."""
        if self.erased:
            raise Conflict("this user is erased", id=self.id)
        if self.enabled:
            raise Conflict("this user is not disabled", id=self.id)
        self.trigger_event(self.Enabled)

    def erase(self, reason: str) -> None:
        """Say that the person's text is to be unreadable; nothing happens the second time.

        Raises Conflict for a user who is not disabled, and Invalid without a reason.
        """
        checked = checked_reason(reason)
        if self.enabled:
            raise Conflict("disable this user first: what is erased cannot be had back", id=self.id)
        if not self.erased:
            self.trigger_event(self.Erased, reason=checked)

    def join(self, group: str) -> None:
        """Enter a group; nothing happens to a member. Raises Conflict at 200 groups."""
        if checked_id(group, "group") in self.groups:
            return
        if len(self.groups) >= MAX_GROUPS:
            raise Conflict(f"a user belongs to at most {MAX_GROUPS} groups", id=self.id)
        self.trigger_event(self.Joined, group=group)

    def leave(self, group: str) -> None:
        """Leave a group; nothing happens to one who is no member."""
        if group in self.groups:
            self.trigger_event(self.Left, group=group)

    def grant_role(self, project: str, role: str) -> None:
        """Give a role in a project, in place of the user's other one there. Raises Invalid."""
        if roles.is_new_grant(self.roles, project, role):
            self.trigger_event(self.RoleGranted, project=project, role=role)

    def revoke_role(self, project: str) -> None:
        """Take the user's own role in a project away; nothing happens where there is none."""
        if project in self.roles:
            self.trigger_event(self.RoleRevoked, project=project)

    def set_password(self, digest: str) -> None:
        """Choose a password. Raises Conflict for a service account, which signs in by token."""
        if self.service:
            raise Conflict("a service account has no password, only tokens", id=self.id)
        self.trigger_event(self.PasswordSet, digest=digest)
