"""Decides recorded decisions again, from the record alone and without anything that decided them.

Texts come from the policies' own events and are found by what they say; attributes come from the
snapshot in the decision; `policies.reference` walks the trees.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.aggregate import AggregateEvent
from domain.decision import Decision
from domain.errors import Invalid
from domain.policy import Policy
from infra.event_codec import decode
from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from policies.document import PolicyDocument, read_policy
from policies.kinds import SCHEMAS
from policies.reference import decide
from policies.schema import MOMENT, Schema, Type

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Redecision:
    """What was recorded, what comes out now (None if nothing does), and what stands in the way."""

    recorded: bool
    again: bool | None
    problem: str | None = None

    @property
    def agrees(self) -> bool:
        """Whether it is the same."""
        return self.again is self.recorded

    def as_dict(self) -> dict[str, Any]:
        """For answers."""
        return {
            "agrees": self.agrees,
            "recorded": self.recorded,
            "again": self.again,
            "problem": self.problem,
        }


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A decision that comes out otherwise."""

    id: str
    outcome: Redecision


@dataclass(frozen=True, slots=True)
class Checked:
    """How many decisions were decided again, and those that came out otherwise."""

    decisions: int
    disagreements: list[Disagreement]


def texts_by_digest(policies: Iterable[Policy]) -> dict[str, PolicyDocument]:
    """Every text ever proposed that can be read, under the digest of what it says."""
    texts = {proposal.text for policy in policies for proposal in policy.proposals}
    return {document.digest: document for text in texts if (document := _read(text)) is not None}


def redecide(decision: Decision, texts: Mapping[str, PolicyDocument]) -> Redecision:
    """The decision again, with the policies that were in force then."""
    for name, digest in decision.policies.items():
        if digest not in texts or texts[digest].policy != name:
            problem = f"the text of `{name}` with digest {digest[:12]} is not in the record"
            return Redecision(decision.permitted, None, problem)
    documents = [texts[digest] for digest in decision.policies.values()]
    try:
        values = {
            "sub": decision.subject,
            "obj": _values(SCHEMAS[decision.kind], decision.object),
            "env": _values(MOMENT, decision.env),
        }
        again = decide(documents, decision.kind, decision.action, values)
    except (KeyError, TypeError, ValueError, Invalid) as error:
        problem = f"it cannot be decided again: {type(error).__name__}: {error}"
        return Redecision(decision.permitted, None, problem)
    return Redecision(decision.permitted, again)


def redecide_all(reader: BulkReader, layout: Layout) -> Checked:
    """Every decision in the record, again."""
    policies: dict[str, Any] = {}
    for event in _events(reader, layout, "policy"):
        policies[event.originator_id] = event.mutate(policies.get(event.originator_id))
    texts = texts_by_digest(policies.values())
    count, found = 0, []
    for event in _events(reader, layout, "decision"):
        decision: Any = event.mutate(None)
        outcome = redecide(decision, texts)
        count += 1
        if not outcome.agrees:
            found.append(Disagreement(decision.id, outcome))
    return Checked(count, found)


def _events(reader: BulkReader, layout: Layout, kind: str) -> Iterator[AggregateEvent]:
    position = 0
    while messages := reader.read_after(position, _PAGE, layout.of_kind(kind)):
        for message in messages:
            id_, version = layout.parse(message.subject)
            yield decode(str(id_), version, message.topic, message.payload)
        position = messages[-1].position


def _read(text: str) -> PolicyDocument | None:
    try:
        return read_policy(text)
    except Invalid:
        return None


def _values(schema: Schema, plain: Mapping[str, Any]) -> dict[str, Any]:
    """The snapshot with its times as times."""
    times = {name for name, attribute in schema.attributes.items() if attribute.type is Type.TIME}
    return {
        name: datetime.fromisoformat(value) if name in times and value is not None else value
        for name, value in plain.items()
    }
