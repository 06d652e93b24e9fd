"""Policies from proposal to retirement, and decisions: commands, events, refusals."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from domain.decision import Decision
from domain.errors import Conflict, Invalid, NotFound
from domain.policy import MAX_POLICY_BYTES, Policy, Proposal, policy_id
from hansard.formats.ids import new_id
from tests.unit.stories import emitted

ADA, BOB = (new_id("user") for _ in range(2))
TEXT = "rules: []\n"

DECIDED: dict[str, Any] = {
    "subject": {"id": ADA, "groups": []},
    "kind": "run",
    "entity": new_id("run"),
    "action": "cancel",
    "object": {"created_by": BOB},
    "env": {},
    "permitted": False,
    "rule": None,
    "policy": None,
    "policies": {"policy-base": "a" * 64},
    "policy_set": "b" * 64,
}


@pytest.fixture
def policy() -> Policy:
    made = Policy.create("base")
    made.collect_events()
    return made


def proposed(policy: Policy, text: str = TEXT, by: str = ADA) -> int:
    return policy.propose(text, sha256(text.encode()).hexdigest(), "why not", by)


@pytest.mark.parametrize("name", ["a", "base", "a-2", "a" + "-" * 62])
def test_a_policy_is_known_by_its_name(name: str) -> None:
    assert Policy.create(name).id == policy_id(name) == f"policy-{name}"


@pytest.mark.parametrize("name", ["", "A", "2", "-a", "a_b", "a.b", "a b", "a" * 64, "a\n", "ä"])
def test_such_names_of_policies_are_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        Policy.create(name)
    assert refused.value.context["field"] == "name"


def test_proposals_are_numbered_and_know_who_made_them(policy: Policy) -> None:
    assert [proposed(policy, text, by) for text, by in (("a", ADA), ("b", BOB))] == [1, 2]
    digest = sha256(b"b").hexdigest()
    assert policy.proposals[1] == Proposal(2, "b", digest, BOB, [])
    assert policy.active_proposal is None


def test_the_newest_proposal_is_not_made_twice_but_an_older_one_may_come_back(
    policy: Policy,
) -> None:
    assert [proposed(policy, text) for text in ("a", "a", "b", "b", "a")] == [1, 1, 2, 2, 3]
    assert emitted(policy) == ["policy.proposed.v1"] * 3


@pytest.mark.parametrize(
    ("text", "digest", "field"),
    [
        *(("", "a" * 64, "text"), ("x" * (MAX_POLICY_BYTES + 1), "a" * 64, "text")),
        ("ä" * (MAX_POLICY_BYTES // 2 + 1), "a" * 64, "text"),
        *(("\0", "a" * 64, "text"), ("\ud800", "a" * 64, "text")),
        *((TEXT, "a" * 63, "digest"), (TEXT, "A" * 64, "digest"), (TEXT, "", "digest")),
    ],
)
def test_such_proposals_are_refused(policy: Policy, text: str, digest: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        policy.propose(text, digest, "", ADA)
    assert refused.value.context["field"] == field
    assert emitted(policy) == []


def test_a_proposal_of_the_most_bytes_is_taken(policy: Policy) -> None:
    assert proposed(policy, "ä" * (MAX_POLICY_BYTES // 2)) == 1


def test_a_proposal_is_approved_by_others_once_each(policy: Policy) -> None:
    first, second = proposed(policy, "a"), proposed(policy, "b")
    policy.approve(first, BOB)
    for by in (ADA, BOB):
        with pytest.raises(Conflict):
            policy.approve(first, by)
    policy.approve(second, BOB)
    assert [p.approved_by for p in policy.proposals] == [[BOB], [BOB]]


def test_one_proposal_at_a_time_is_active(policy: Policy) -> None:
    first, second = proposed(policy, "a"), proposed(policy, "b")
    policy.activate(second, confirmed_loss=3)
    with pytest.raises(Conflict):
        policy.activate(second)
    policy.activate(first)
    assert policy.active_proposal == policy.proposals[0]
    activated = [vars(e) for e in policy.pending_events if isinstance(e, Policy.Activated)]
    assert [(e["number"], e["confirmed_loss"]) for e in activated] == [(2, 3), (1, 0)]
    assert activated[0]["digest"] == policy.proposals[1].digest


@pytest.mark.parametrize("number", [0, -1, 2])
def test_what_was_not_proposed_is_not_there(policy: Policy, number: int) -> None:
    proposed(policy)
    commands: list[Callable[[], None]] = [
        *(lambda: policy.approve(number, BOB), lambda: policy.activate(number)),
    ]
    for command in commands:
        with pytest.raises(NotFound):
            command()


def test_what_is_not_active_cannot_retire_and_what_has_retired_can_come_back(
    policy: Policy,
) -> None:
    number = proposed(policy)
    with pytest.raises(Conflict):
        policy.retire("never was")
    policy.activate(number)
    policy.retire("too strict")
    assert policy.active_proposal is None
    with pytest.raises(Conflict):
        policy.retire("again")
    policy.activate(number)
    assert policy.active == number


def test_nobody_loses_less_than_nothing(policy: Policy) -> None:
    number = proposed(policy)
    with pytest.raises(Invalid):
        policy.activate(number, confirmed_loss=-1)


def test_a_decision_keeps_all_it_was_made_from() -> None:
    decision = Decision.record(new_id("decision"), **DECIDED)
    assert {name: getattr(decision, name) for name in DECIDED} == DECIDED
    assert emitted(decision) == ["decision.recorded.v1"]


@pytest.mark.parametrize(
    "changed",
    [*({"subject": {}}, {"subject": {"id": 3}}), {"env": {"a": "\0"}}, {"object": {"a": 2**63}}],
)
def test_such_decisions_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Decision.record(new_id("decision"), **DECIDED | changed)
