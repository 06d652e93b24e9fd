"""What policies on hardware demand: the strongest level of those whose target is not false."""

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.resources import Resources
from domain.sandbox import Level
from policies.document import read_policy
from policies.errors import PolicyError
from policies.kinds import SCHEMAS
from policies.pdp import PolicySet
from policies.schema import Facts

ENV: Facts = {"now": datetime(2030, 1, 1, tzinfo=UTC)}
PERSON: dict[str, Any] = {
    "id": "user-eve",
    "active": True,
    "admin": False,
    "service": False,
    **dict.fromkeys(("groups", "viewer_of", "contributor_of", "manager_of"), ()),
}
ASKED = {**Resources().as_dict(), "project": "project-x", "pool": "default", "priority": 0}
EVERYBODY = """
policy: open
entity: allocation
actions: allocate
root: {combine: deny-overrides, rules: [{id: a, effect: permit, when: "True"}]}
"""


def demanding(level: str, target: str = "True", entity: str = "allocation") -> str:
    actions = "allocate" if entity == "allocation" else "read"
    return (
        f"policy: demands-{level}\nentity: {entity}\nactions: {actions}\nsubject: {{staff: bool}}\n"
        f"demand: {{sandbox: {level}}}\n"
        f"root:\n  combine: deny-overrides\n  target: {target!r}\n"
        "  rules: [{id: never, effect: permit, when: 'False'}]\n"
    )


def demanded(*texts: str, sub: dict[str, Any] | None = None) -> Level:
    set_ = PolicySet(map(read_policy, (EVERYBODY, *texts)), only=[("allocation", "allocate")])
    subject = set_.subject.facts({**PERSON, **(sub or {})})
    obj = SCHEMAS["allocation"].facts(ASKED)
    ruling = set_.decider("allocation", "allocate").rule(subject, obj, ENV)
    assert ruling.permitted
    return ruling.sandbox


def test_without_a_demand_any_level_will_do() -> None:
    assert demanded() is Level.NONE


def test_of_several_demands_the_strongest_counts() -> None:
    assert demanded(demanding("limits")) is Level.LIMITS
    assert demanded(demanding("limits"), demanding("bubblewrap")) is Level.BUBBLEWRAP


@pytest.mark.parametrize(
    ("sub", "expected"),
    [({"staff": True}, Level.NONE), ({"staff": False}, Level.BUBBLEWRAP), ({}, Level.BUBBLEWRAP)],
)
def test_a_demand_holds_where_its_target_is_not_false(sub: dict[str, Any], expected: Level) -> None:
    """What is missing never frees of it."""
    assert demanded(demanding("bubblewrap", "not r.sub.staff"), sub=sub) is expected


def test_an_administrator_is_not_free_of_it() -> None:
    assert demanded(demanding("bubblewrap"), sub={"admin": True}) is Level.BUBBLEWRAP


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (demanding("limits", entity="run"), "only policies on `allocation` can demand"),
        (demanding("vault"), "Input should be 'none', 'limits' or 'bubblewrap'"),
        (demanding("limits").replace("sandbox:", "network:"), "Field required"),
    ],
)
def test_a_demand_that_means_nothing_is_refused(text: str, detail: str) -> None:
    with pytest.raises(PolicyError) as refused:
        PolicySet([read_policy(text)])
    assert detail in str(refused.value.detail)


def test_policies_of_before_there_were_demands_keep_their_digest() -> None:
    assert read_policy(EVERYBODY).digest == (
        "6a093d7720270ba76cd4f2991efe9f9dd549e00c28fa28dcec8fcd802d2cf2e1"
    )
    assert read_policy(demanding("none")).digest != read_policy(demanding("limits")).digest


def test_the_stronger_of_what_is_asked_and_demanded_is_recorded() -> None:
    asked = Resources(sandbox=Level.BUBBLEWRAP)
    assert asked.isolated(Level.LIMITS).sandbox == "bubblewrap"
    assert Resources().isolated(Level.LIMITS).as_dict()["sandbox"] == "limits"
