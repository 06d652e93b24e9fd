"""Bearer secrets that speak for a user, as far as their scopes reach and until they expire."""

from collections.abc import Iterable
from datetime import datetime

from eventsourcing.domain import event

from domain.aggregate import Aggregate, AggregateCreated
from domain.errors import Conflict, Invalid
from domain.moment import checked_moment
from domain.text import checked_id, checked_text

SCOPES = ("read", "write", "admin")
JOIN = "join"
"""The scope of tokens by which machines join as nodes, and their only one."""
PURPOSES = ("api", "session", "node")


class Token(Aggregate):
    """A bearer secret of a user; the record holds its SHA-256 only."""

    TOPIC = "token"

    class Issued(AggregateCreated):
        """A token was made, for the API, for a browser's session or for a node that joins."""

        TOPIC = "token.issued.v2"
        user: str
        label: str
        digest: str
        scopes: list[str]
        expires_at: str | None
        purpose: str

    class Joined(Aggregate.Event):
        """A machine joined with it as the node `node`."""

        TOPIC = "token.joined.v1"
        node: str

        def apply(self, aggregate: "Token") -> None:
            """It may be used again while it lasts: for what it opens nothing changes."""

    class Revoked(Aggregate.Event):
        """The token no longer opens anything."""

        TOPIC = "token.revoked.v1"

        def apply(self, aggregate: "Token") -> None:
            """Close it."""
            aggregate.revoked = True

    @classmethod
    def issue(
        cls,
        id_: str,
        user: str,
        label: str,
        digest: str,
        scopes: Iterable[str] = SCOPES,
        expires_at: datetime | None = None,
        purpose: str = "api",
    ) -> "Token":
        """Issue a token for a user, with at least one scope; a node's can only join.

        Raises Invalid.
        """
        if len(label) > 128:
            raise Invalid("a token's label has at most 128 characters", field="label")
        if purpose not in PURPOSES:
            raise Invalid(f"{purpose!r} is not one of {', '.join(PURPOSES)}", field="purpose")
        return cls._create(
            cls.Issued,
            id=checked_id(id_, "token"),
            user=user,
            label=checked_text(label, "label"),
            digest=digest,
            scopes=[JOIN] if purpose == "node" else _checked_scopes(scopes),
            expires_at=checked_moment(expires_at, "expires_at") if expires_at else None,
            purpose=purpose,
        )

    @event(Issued)
    def __init__(
        self,
        user: str,
        label: str,
        digest: str,
        scopes: list[str],
        expires_at: str | None,
        purpose: str,
    ) -> None:
        self.user = user
        self.label = label
        self.digest = digest
        self.scopes = scopes
        self.expires_at = datetime.fromisoformat(expires_at) if expires_at else None
        self.purpose = purpose
        self.revoked = False

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at

    def join(self, node: str) -> None:
        """Note that a machine joins with it. Raises Conflict for a token of another purpose."""
        if self.purpose != "node":
            raise Conflict("this token is not for joining as a node", id=self.id)
        self.trigger_event(self.Joined, node=node)

    def revoke(self) -> None:
        """Close it for ever. Raises Conflict when closed already."""
        if self.revoked:
            raise Conflict("this token is revoked already", id=self.id)
        self.trigger_event(self.Revoked)


def _checked_scopes(scopes: Iterable[str]) -> list[str]:
    asked = set(scopes)
    unknown = sorted(asked.difference(SCOPES))
    if unknown:
        raise Invalid(f"{unknown[0]!r} is not one of {', '.join(SCOPES)}", field="scopes")
    if not asked:
        raise Invalid("a token needs at least one scope", field="scopes")
    return [scope for scope in SCOPES if scope in asked]
