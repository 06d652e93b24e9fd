"""What the client answers about policies: texts, tests, explanations, decisions."""

from datetime import datetime
from typing import Any

from hansard.client.results import Maskable, Result


class Proposal(Result):
    """A text that somebody wants in force, and who agreed."""

    number: int
    text: str
    digest: str
    comment: str = ""
    by: str
    at: datetime
    approved_by: tuple[str, ...] = ()


class Policy(Maskable):
    """A policy: its proposals, and the number of the one in force, if any."""

    id: str
    name: str
    active: int | None
    active_digest: str | None
    proposals: tuple[Proposal, ...] = ()
    created_by: str
    created_at: datetime
    updated_at: datetime

    @property
    def active_text(self) -> str | None:
        """The text in force, if any."""
        return next((p.text for p in self.proposals if p.number == self.active), None)


class PolicyStep(Result):
    """A step in the life of a policy: `created`, `proposed`, `approved`, `activated`, `retired`."""

    what: str
    by: str
    at: datetime
    number: int | None = None
    comment: str | None = None
    reason: str | None = None
    digest: str | None = None
    confirmed_loss: int | None = None


class Proposed(Result):
    """A proposal as it was taken in."""

    id: str
    number: int
    digest: str


class FailedCase(Result):
    """An embedded test that came out otherwise than expected."""

    policy: str
    case: str
    expected: str
    because: str


class Tested(Result):
    """How the embedded tests of a policy came out."""

    passed: bool
    failures: tuple[FailedCase, ...] = ()


class Rows(Result):
    """How many entities (up to 10,000), and the ids of some."""

    count: int
    sample: tuple[str, ...] = ()


class Changes(Result):
    """What a user would see more and what less."""

    gained: Rows
    lost: Rows


class RowCounts(Result):
    """How many rows users together would see more and less."""

    gained: int
    lost: int


class Difference(Result):
    """A proposal against what is in force: lines, and rows of so many users by kind."""

    diff: str
    users: int
    kinds: dict[str, RowCounts]


class RuleOutcome(Result):
    """What one rule says to a request; `unknown` are the attributes it misses."""

    policy: str
    rule: str
    effect: str
    outcome: str
    says: str = ""
    text: str | None = None
    unknown: tuple[str, ...] = ()


class Explanation(Result):
    """A decision with its reasons."""

    permitted: bool
    policy: str | None = None
    rule: str | None = None
    because: str
    rules: tuple[RuleOutcome, ...] = ()
    policy_set: str


class Decision(Maskable):
    """A decision that was recorded; `detail` holds the attributes it was made on."""

    id: str
    subject: str
    kind: str
    entity: str
    action: str
    permitted: bool
    rule: str | None
    policy: str | None
    policy_set: str
    created_by: str
    created_at: datetime
    detail: dict[str, Any] | None = None


class Verification(Result):
    """A recorded decision, decided again from the record alone."""

    agrees: bool
    recorded: bool
    again: bool | None
    problem: str | None = None
