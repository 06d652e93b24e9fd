"""What one subject may do at one moment: decisions on entities, and on whole lists.

A `Listing` and a `Permit` are what queries demand: neither can be had without a decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from policies.formula import FALSE, TRUE, Formula
from policies.pdp import PolicySet, Ruling
from policies.reduce import Known, reduced
from policies.schema import Facts, Schema


@dataclass(frozen=True, slots=True)
class Listing:
    """What of a kind a subject may see: a formula over the entity's row, masks included."""

    schema: Schema
    formula: Formula
    masks: Mapping[str, Formula]  # of fields not always shown: where they are
    subject: str
    policy_set: str

    @property
    def empty(self) -> bool:
        """Whether no row at all may be seen."""
        return self.formula == FALSE


@dataclass(frozen=True, slots=True)
class Permit:
    """That a subject may read one entity, without the masked fields."""

    kind: str
    entity: str
    masked: frozenset[str] = field(default_factory=frozenset)


class Access:
    """The rights of a subject under a set of policies, at a moment."""

    def __init__(self, policies: PolicySet, subject: Facts, now: datetime) -> None:
        self.policies = policies
        self.subject = subject
        self.env: Facts = {"now": now}

    @property
    def subject_id(self) -> str:
        """Who it is."""
        return str(self.subject["id"])

    def ruling(self, kind: str, action: str, obj: Facts) -> Ruling:
        """The decision on one entity."""
        return self.policies.decider(kind, action).rule(self.subject, obj, self.env)

    def permits(self, kind: str, action: str, obj: Facts) -> bool:
        """The same answer from the compiled formula alone, for many entities at once."""
        return self.policies.decider(kind, action).decide(self.subject, obj, self.env)

    def permit(self, kind: str, obj: Facts) -> Permit | None:
        """The right to read an entity, if there is one."""
        if not self.ruling(kind, "read", obj).permitted:
            return None
        return Permit(kind, str(obj["id"]), self.masked(kind, obj))

    def masked(self, kind: str, obj: Facts) -> frozenset[str]:
        """The fields of an entity that are not shown."""
        masks = self.policies.decider(kind, "read").masks
        known: Known = {"sub": self.subject, "obj": obj, "env": self.env}
        return frozenset(name for name, shown in masks.items() if reduced(shown, known) != TRUE)

    def listing(self, kind: str) -> Listing:
        """The right to list a kind."""
        decider = self.policies.decider(kind, "read")
        known: Known = {"sub": self.subject, "env": self.env}
        masks = {name: reduced(shown, known) for name, shown in decider.masks.items()}
        return Listing(
            decider.schema,
            reduced(decider.permits, known),
            {name: shown for name, shown in masks.items() if shown != TRUE},
            self.subject_id,
            self.policies.digest,
        )
