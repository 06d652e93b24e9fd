"""Decisions of the policies on sensitive actions, with all that they were made from."""

from typing import Any

from eventsourcing.domain import event

from domain.aggregate import Aggregate, AggregateCreated
from domain.errors import Invalid
from domain.plain_data import checked_json
from domain.text import checked_id


class Decision(Aggregate):
    """One decision; nothing ever happens to it again."""

    TOPIC = "decision"

    class Recorded(AggregateCreated):
        """A subject was or was not permitted to do something, by which rule of which policies."""

        TOPIC = "decision.recorded.v1"
        subject: dict[str, Any]
        kind: str  # of entity
        entity: str
        action: str
        object: dict[str, Any]
        env: dict[str, Any]
        permitted: bool
        rule: str | None
        policy: str | None
        policies: dict[str, str]  # policy id -> digest of the text in force
        policy_set: str  # digest of all of them

    @classmethod
    def record(cls, id_: str, **members: Any) -> "Decision":
        """Record a decision; the members are those of the event. Raises Invalid."""
        subject = members["subject"]
        if not isinstance(subject.get("id"), str):
            raise Invalid("the subject of a decision has an id", field="subject")
        checked_json(members, "decision")
        return cls._create(cls.Recorded, id=checked_id(id_, "decision"), **members)

    @event(Recorded)
    def __init__(
        self,
        subject: dict[str, Any],
        kind: str,
        entity: str,
        action: str,
        object: dict[str, Any],  # noqa: A002 - the name policies give to what is acted upon
        env: dict[str, Any],
        permitted: bool,
        rule: str | None,
        policy: str | None,
        policies: dict[str, str],
        policy_set: str,
    ) -> None:
        self.subject = subject
        self.kind = kind
        self.entity = entity
        self.action = action
        self.object = object
        self.env = env
        self.permitted = permitted
        self.rule = rule
        self.policy = policy
        self.policies = policies
        self.policy_set = policy_set
