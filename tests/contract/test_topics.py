"""Every event ever written can be read: each topic has a record, decodes, folds, is documented."""

from collections.abc import Iterator
from inspect import getdoc
from pathlib import Path
from typing import Any

import orjson
import pytest
from eventsourcing.domain import CanInitAggregate
from eventsourcing.utils import get_topic

from domain.abstraction import Abstraction
from domain.administrators import Administrators
from domain.aggregate import Aggregate, AggregateEvent
from domain.artifact import Artifact
from domain.decision import Decision
from domain.experiment import Experiment
from domain.group import Group
from domain.invitation import Invitation
from domain.name import NameReservation
from domain.policy import Policy
from domain.project import Project
from domain.run import Run
from domain.secret import Secret
from domain.text import kind_of
from domain.token import Token
from domain.upcasters import UPCASTERS
from domain.user import User
from domain.version import Version
from infra.event_codec import current, decode
from infra.event_log.layout import Layout
from infra.event_log.message import LogMessage
from projections.read_event import ReadEvent, read_event
from projections.registry_rows import HANDLERS, TABLES, fold
from tests.contract.record_topics import RECORDED

AGGREGATES: list[type[Aggregate]] = [
    *(Project, Experiment, Abstraction, Version, Artifact, Run, NameReservation),
    *(User, Group, Token, Invitation, Administrators, Policy, Decision, Secret),
]
DOCUMENTED = Path(__file__).parents[2] / "docs" / "topics.md"


def _emitted() -> Iterator[type[AggregateEvent]]:
    """The event classes of each aggregate, without those that others derive from."""
    for aggregate in AGGREGATES:
        for member in vars(aggregate).values():
            is_event = isinstance(member, type) and issubclass(member, AggregateEvent)
            if is_event and not member.__subclasses__():
                yield member


def _meaning(event: type[AggregateEvent]) -> str:
    """What the class in the source says: the library derives the emitted one from it."""
    written = next(owner for owner in event.__mro__ if "TOPIC" in vars(owner))
    return str(getdoc(written)).splitlines()[0]


EVENTS = {get_topic(event): event for event in _emitted()}
TOPICS = sorted(EVENTS)
OLD_TOPICS = sorted(UPCASTERS)


def recorded(topic: str) -> dict[str, Any]:
    record: dict[str, Any] = orjson.loads((RECORDED / f"{topic}.json").read_bytes())
    return record


def as_message(record: dict[str, Any], position: int = 1) -> LogMessage:
    subject = Layout().event(record["id"], record["version"])
    return LogMessage(position, subject, record["topic"], "", "", record["state"].encode(), "")


def as_read(record: dict[str, Any]) -> ReadEvent:
    return read_event(Layout(), as_message(record))


def test_each_aggregate_has_a_topic_and_its_events_carry_it() -> None:
    for aggregate in AGGREGATES:
        topic = vars(aggregate)["TOPIC"]
        assert any(name.startswith(f"{topic}.") for name in TOPICS)
    assert {name.partition(".")[0] for name in TOPICS} == {vars(a)["TOPIC"] for a in AGGREGATES}


def test_every_topic_has_a_record_and_every_record_a_topic() -> None:
    assert sorted(file.stem for file in RECORDED.glob("*.json")) == sorted(TOPICS + OLD_TOPICS)


@pytest.mark.parametrize("topic", TOPICS + OLD_TOPICS)
def test_what_was_recorded_still_decodes_to_its_members(topic: str) -> None:
    record = recorded(topic)
    state = record["state"].encode()
    newest, payload = current(record["topic"], orjson.loads(state))
    event = decode(record["id"], record["version"], record["topic"], state)
    assert type(event) is EVENTS[newest]
    assert event.originator_id == record["id"]
    annotated = {
        name
        for owner in type(event).__mro__
        if owner.__module__.startswith("domain.")
        for name in vars(owner).get("__annotations__", {})
    }
    envelope = {"originator_id", "originator_version", "timestamp", "originator_topic"}
    assert payload["data"].keys() == annotated - envelope


@pytest.mark.parametrize("topic", TOPICS + OLD_TOPICS)
def test_what_was_recorded_still_folds_into_an_aggregate_and_its_row(topic: str) -> None:
    record = recorded(topic)
    kind = kind_of(record["id"])
    births = [recorded(name) for name in TOPICS if issubclass(EVENTS[name], CanInitAggregate)]
    front = topic.partition(".")[0]
    birth = next(birth for birth in births if birth["topic"].partition(".")[0] == front)
    newest, _ = current(record["topic"], orjson.loads(record["state"]))
    aggregate: Any = None
    row = None
    for step in [record] if issubclass(EVENTS[newest], CanInitAggregate) else [birth, record]:
        event = decode(step["id"], step["version"], step["topic"], step["state"].encode())
        object.__setattr__(event, "originator_id", birth["id"])
        object.__setattr__(event, "originator_version", 1 if aggregate is None else 2)
        aggregate = event.mutate(aggregate)
        row = fold(row, as_read(step)) if kind in TABLES else None
    assert isinstance(aggregate, tuple(AGGREGATES))
    if row is not None:
        assert row["updated_at"] == "2030-01-02T03:04:05+00:00"


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_of_an_entity_that_is_shown_has_a_handler(topic: str) -> None:
    if kind_of(recorded(topic)["id"]) in TABLES:
        assert topic in HANDLERS


def test_no_handler_is_left_over() -> None:
    assert HANDLERS.keys() <= set(TOPICS)


def test_no_record_holds_a_python_path() -> None:
    for topic in TOPICS:
        text = (RECORDED / f"{topic}.json").read_text()
        assert not any(f"{package}." in text for package in ("domain", "infra", "projections"))


def test_the_page_of_topics_says_what_each_one_says() -> None:
    rows = [line.split("|") for line in DOCUMENTED.read_text().splitlines() if line[:3] == "| `"]
    told = {row[1].strip().strip("`"): row[2].strip() for row in rows}
    assert told == {name: _meaning(event) for name, event in EVENTS.items()}


def test_the_page_of_topics_names_those_that_are_only_read() -> None:
    text = DOCUMENTED.read_text()
    assert [topic for topic in OLD_TOPICS if f"`{topic}`" not in text] == []
