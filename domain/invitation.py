"""Invitations: links that make whoever opens one a member of a project, a group, or both."""

from datetime import datetime

from eventsourcing.domain import event

from domain.aggregate import Aggregate, AggregateCreated
from domain.errors import Conflict, Invalid
from domain.moment import checked_moment
from domain.role import checked_role
from domain.text import checked_id, checked_text

MAX_USES = 100


class Invitation(Aggregate):
    """A link that a number of users may accept until it expires; its secret is not recorded."""

    TOPIC = "invitation"

    class Issued(AggregateCreated):
        """Somebody invited others: with a role to a project, to a group, or both."""

        TOPIC = "invitation.issued.v1"
        digest: str
        project: str | None
        role: str | None
        group: str | None
        expires_at: str
        uses: int
        note: str

    class Accepted(Aggregate.Event):
        """A user accepted; the membership is recorded with the user in the same save."""

        TOPIC = "invitation.accepted.v1"
        user: str

        def apply(self, aggregate: "Invitation") -> None:
            """Count the use."""
            aggregate.accepted.append(self.user)

    class Revoked(Aggregate.Event):
        """Nobody can accept it any more."""

        TOPIC = "invitation.revoked.v1"

        def apply(self, aggregate: "Invitation") -> None:
            """Close it."""
            aggregate.revoked = True

    @classmethod
    def issue(
        cls,
        id_: str,
        digest: str,
        *,
        project: str | None = None,
        role: str | None = None,
        group: str | None = None,
        expires_at: datetime,
        uses: int = 1,
        note: str = "",
    ) -> "Invitation":
        """Invite to a project with a role, to a group, or both, 1 to 100 times. Raises Invalid."""
        _check_aim(project, role, group)
        if not 1 <= uses <= MAX_USES:
            raise Invalid(f"an invitation has 1 to {MAX_USES} uses", field="uses")
        return cls._create(
            cls.Issued,
            id=checked_id(id_, "invitation"),
            digest=digest,
            project=project,
            role=role,
            group=group,
            expires_at=checked_moment(expires_at, "expires_at"),
            uses=uses,
            note=checked_text(note, "note"),
        )

    @event(Issued)
    def __init__(
        self,
        digest: str,
        project: str | None,
        role: str | None,
        group: str | None,
        expires_at: str,
        uses: int,
        note: str,
    ) -> None:
        self.digest = digest
        self.project = project
        self.role = role
        self.group = group
        self.expires_at = datetime.fromisoformat(expires_at)
        self.uses = uses
        self.note = note
        self.accepted: list[str] = []
        self.revoked = False

    def accept(self, user: str, now: datetime) -> None:
        """Use it once. Raises Conflict `invitation-closed` when that is not possible any more."""
        checked_id(user, "user")
        why = self._closed(user, now)
        if why is not None:
            raise Conflict(f"this invitation {why}", code="invitation-closed", id=self.id)
        self.trigger_event(self.Accepted, user=user)

    def revoke(self) -> None:
        """Close it for ever. Raises Conflict when closed already."""
        if self.revoked:
            raise Conflict("this invitation is revoked already", id=self.id)
        self.trigger_event(self.Revoked)

    def _closed(self, user: str, now: datetime) -> str | None:
        if self.revoked:
            return "was revoked"
        if now >= self.expires_at:
            return "has expired"
        if user in self.accepted:
            return "was accepted by this user before"
        return "is used up" if len(self.accepted) >= self.uses else None


def _check_aim(project: str | None, role: str | None, group: str | None) -> None:
    if (project is None) != (role is None):
        raise Invalid("a project and a role are given together", field="role")
    if project is None and group is None:
        raise Invalid("an invitation leads to a project, a group, or both", field="project")
    if project is not None and role is not None:
        checked_id(project, "project")
        checked_role(role)
    if group is not None:
        checked_id(group, "group")
