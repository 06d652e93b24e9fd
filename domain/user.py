"""People and service accounts, and the tokens that speak for them."""

from typing import Any

from eventsourcing.domain import event

from domain.aggregate import Aggregate, AggregateCreated
from domain.errors import Conflict, Invalid
from domain.plain_data import checked_json
from domain.text import checked_id, checked_text

MAX_ATTRIBUTES = 64


class User(Aggregate):
    """Somebody who acts. Names and mail are sealed: the record holds ciphertext only."""

    TOPIC = "user"

    class Registered(AggregateCreated):
        """A user was registered; `profile` is sealed under the person's key."""

        TOPIC = "user.registered.v1"
        profile: str
        attributes: dict[str, Any]

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

    @classmethod
    def register(cls, id_: str, profile: str, attributes: dict[str, Any]) -> "User":
        """Register a user with a sealed profile. Raises Invalid."""
        return cls._create(
            cls.Registered,
            id=checked_id(id_, "user"),
            profile=profile,
            attributes=_checked(attributes),
        )

    @event(Registered)
    def __init__(self, profile: str, attributes: dict[str, Any]) -> None:
        self.profile = profile
        self.attributes = attributes
        self.enabled = True

    def change_attributes(self, attributes: dict[str, Any]) -> None:
        """Replace all attributes."""
        if attributes != self.attributes:
            self.trigger_event(self.AttributesChanged, attributes=_checked(attributes))

    def disable(self) -> None:
        """Shut the user out; raises Conflict when already so."""
        if not self.enabled:
            raise Conflict("this user is disabled already", id=self.id)
        self.trigger_event(self.Disabled)

    def enable(self) -> None:
        """Let the user in again; raises Conflict when not shut out."""
        if self.enabled:
            raise Conflict("this user is not disabled", id=self.id)
        self.trigger_event(self.Enabled)


class Token(Aggregate):
    """A bearer secret of a user; the record holds its SHA-256 only."""

    TOPIC = "token"

    class Issued(AggregateCreated):
        """A token was made."""

        TOPIC = "token.issued.v1"
        user: str
        label: str
        digest: str

    class Revoked(Aggregate.Event):
        """The token no longer opens anything."""

        TOPIC = "token.revoked.v1"

        def apply(self, aggregate: "Token") -> None:
            """Close it."""
            aggregate.revoked = True

    @classmethod
    def issue(cls, id_: str, user: str, label: str, digest: str) -> "Token":
        """Issue a token for a user. Raises Invalid."""
        if len(label) > 128:
            raise Invalid("a token's label has at most 128 characters", field="label")
        return cls._create(
            cls.Issued,
            id=checked_id(id_, "token"),
            user=user,
            label=checked_text(label, "label"),
            digest=digest,
        )

    @event(Issued)
    def __init__(self, user: str, label: str, digest: str) -> None:
        self.user = user
        self.label = label
        self.digest = digest
        self.revoked = False

    def revoke(self) -> None:
        """Close it for ever. Raises Conflict when closed already."""
        if self.revoked:
            raise Conflict("this token is revoked already", id=self.id)
        self.trigger_event(self.Revoked)


def _checked(attributes: dict[str, Any]) -> dict[str, Any]:
    if len(attributes) > MAX_ATTRIBUTES:
        raise Invalid(f"{len(attributes)} attributes, at most {MAX_ATTRIBUTES}", field="attributes")
    return checked_json(attributes, "attributes")
