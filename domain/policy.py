"""Policies: texts that say who may do what; proposed, approved by others, activated, retired.

The aggregate keeps the texts and who stood for them; what they mean is for `policies` to say.
"""

import re
from dataclasses import dataclass, field, replace

from eventsourcing.domain import event

from domain.aggregate import Aggregate, AggregateCreated
from domain.errors import Conflict, Invalid, NotFound
from domain.plain_data import holds_text
from domain.text import checked_text

MAX_POLICY_BYTES = 65_536
MAX_PROPOSALS = 1000

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def policy_id(name: str) -> str:
    """The id of the policy of this name. Raises Invalid for a name of another form."""
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"{name!r} is no policy name: a lower-case letter, then up to 62 of a-z, 0-9 and -",
            field="name",
        )
    return f"policy-{name}"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A text somebody wants in force, and who else agreed."""

    number: int
    text: str
    digest: str
    by: str
    approved_by: list[str] = field(default_factory=list)


class Policy(Aggregate):
    """One policy: its proposals, numbered from 1, and which of them is in force, if any."""

    TOPIC = "policy"

    class Created(AggregateCreated):
        """A name was given to a policy that will be proposed under it."""

        TOPIC = "policy.created.v1"
        name: str

    class Proposed(Aggregate.Event):
        """Somebody wants this text (YAML) in force; `digest` is its SHA-256."""

        TOPIC = "policy.proposed.v1"
        number: int
        text: str
        digest: str
        comment: str
        by: str

        def apply(self, aggregate: "Policy") -> None:
            """Keep it."""
            made = Proposal(self.number, self.text, self.digest, self.by)
            aggregate.proposals.append(made)

    class Approved(Aggregate.Event):
        """A second person agreed to a proposal."""

        TOPIC = "policy.approved.v1"
        number: int
        by: str

        def apply(self, aggregate: "Policy") -> None:
            """Keep who it was."""
            aggregate.proposals = [
                replace(p, approved_by=[*p.approved_by, self.by]) if p.number == self.number else p
                for p in aggregate.proposals
            ]

    class Activated(Aggregate.Event):
        """A proposal is in force; `confirmed_loss` rows were known to go out of sight."""

        TOPIC = "policy.activated.v1"
        number: int
        digest: str
        confirmed_loss: int

        def apply(self, aggregate: "Policy") -> None:
            """Put it in force."""
            aggregate.active = self.number

    class Retired(Aggregate.Event):
        """Nothing of the policy is in force any more."""

        TOPIC = "policy.retired.v1"
        reason: str

        def apply(self, aggregate: "Policy") -> None:
            """Put it out of force."""
            aggregate.active = None

    @classmethod
    def create(cls, name: str) -> "Policy":
        """Begin a policy; its id follows from its name. Raises Invalid."""
        return cls._create(cls.Created, id=policy_id(name), name=name)

    @event(Created)
    def __init__(self, name: str) -> None:
        self.name = name
        self.proposals: list[Proposal] = []
        self.active: int | None = None

    @property
    def active_proposal(self) -> Proposal | None:
        """The proposal in force, if any."""
        return None if self.active is None else self.proposals[self.active - 1]

    def proposal(self, number: int) -> Proposal:
        """The proposal of this number. Raises NotFound."""
        if not 1 <= number <= len(self.proposals):
            raise NotFound(f"policy {self.name} has no proposal {number}", number=number)
        return self.proposals[number - 1]

    def propose(self, text: str, digest: str, comment: str, by: str) -> int:
        """Propose a text and answer its number; that of the newest again if it is the same.

        Raises Invalid.
        """
        _check_text(text, digest)
        checked_text(comment, "comment")
        if self.proposals and self.proposals[-1].digest == digest:
            return self.proposals[-1].number
        number = len(self.proposals) + 1
        if number > MAX_PROPOSALS:
            raise Conflict(f"a policy holds at most {MAX_PROPOSALS} proposals", id=self.id)
        self.trigger_event(
            self.Proposed, number=number, text=text, digest=digest, comment=comment, by=by
        )
        return number

    def approve(self, number: int, by: str) -> None:
        """Agree to another's proposal, once. Raises NotFound and Conflict."""
        proposal = self.proposal(number)
        if by == proposal.by:
            raise Conflict("a proposal is approved by somebody else than its author", by=by)
        if by in proposal.approved_by:
            raise Conflict("this proposal has your approval already", number=number)
        self.trigger_event(self.Approved, number=number, by=by)

    def activate(self, number: int, confirmed_loss: int = 0) -> None:
        """Put a proposal in force, in place of another. Raises NotFound and Conflict."""
        proposal = self.proposal(number)
        if self.active == number:
            raise Conflict(f"proposal {number} is active already", number=number)
        if confirmed_loss < 0:
            raise Invalid("nobody can lose less than nothing", field="confirmed_loss")
        self.trigger_event(
            self.Activated, number=number, digest=proposal.digest, confirmed_loss=confirmed_loss
        )

    def retire(self, reason: str) -> None:
        """Put the policy out of force. Raises Conflict when it is not in force."""
        checked_text(reason, "reason")
        if self.active is None:
            raise Conflict("this policy is not active, so there is nothing to retire", id=self.id)
        self.trigger_event(self.Retired, reason=reason)


def _check_text(text: str, digest: str) -> None:
    if not holds_text(text):
        raise Invalid("`text` contains NUL or half a character", field="text")
    size = len(text.encode())
    if not 0 < size <= MAX_POLICY_BYTES:
        raise Invalid(f"a policy has 1 to {MAX_POLICY_BYTES} bytes, not {size}", field="text")
    if not _DIGEST.fullmatch(digest):
        raise Invalid("`digest` is no SHA-256 in lower-case hexadecimal", field="digest")
