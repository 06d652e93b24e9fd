"""Single decisions and reductions: how fast, and whether other policies slow them down."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from statistics import median
from time import perf_counter
from typing import Any

from bench.figure import Figure
from policies.document import PolicyDocument, read_policy
from policies.kinds import ACTIONS, SCHEMAS
from policies.pdp import Decider, PolicySet
from policies.reduce import reduced
from policies.sql import SqlWriter

_FOUR_RULES = """
policy: bench
entity: run
actions: read
root:
  combine: deny-overrides
  rules:
    - {id: owner, effect: permit, when: "r.obj.owner == r.sub.id"}
    - {id: group, effect: permit, when: "overlap(r.sub.groups, r.obj.groups)"}
    - {id: public, effect: permit, when: "r.obj.visibility == 'public'"}
    - id: embargo
      effect: deny
      when: >-
        r.obj.embargo_until is not None and r.obj.embargo_until > r.env.now
        and r.obj.owner != r.sub.id
"""
_ROUNDS = 7
_ENV = {"now": datetime(2030, 1, 1, tzinfo=UTC)}


def decision_figures() -> Iterator[Figure]:
    """Reduction, compiled decision, casbin decision, and casbin among many policies."""
    few, many = _deciders()
    sub, obj = _facts()
    yield Figure("policies.reduce_us", _reduce_us(few, sub), "us", _ROUNDS, note="4 rules")
    compiled = _per_s(lambda: few.decide(sub, obj, _ENV), 200_000)
    yield Figure("policies.compiled_per_s", compiled, "1/s", _ROUNDS, note="4 rules")
    of_few, of_many = [], []
    for _ in range(_ROUNDS):
        of_few.append(_enforced_per_s(few, sub, obj))
        of_many.append(_enforced_per_s(many, sub, obj))
    yield Figure("policies.casbin_per_s", median(of_few), "1/s", _ROUNDS, note="10 policies")
    ratio = median(of_few) / median(of_many)
    yield Figure("policies.casbin_1000_over_10", ratio, "x", _ROUNDS, note="time over time")


def _deciders() -> tuple[Decider, Decider]:
    """The same decision among 10 policies and among 1,000."""
    few, many = (PolicySet(_documents(count)).decider("run", "read") for count in (10, 1000))
    return few, many


def _documents(count: int) -> list[PolicyDocument]:
    """The policy of four rules, and others for other kinds and actions."""
    one = read_policy(_FOUR_RULES)
    places = [
        (k, a) for k, actions in ACTIONS.items() for a in actions if (k, a) != ("run", "read")
    ]
    others = [
        read_policy(
            f"policy: other-{number}\nentity: {kind}\nactions: {action}\nroot:\n"
            "  combine: deny-overrides\n"
            f"  rules: [{{id: r, effect: permit, when: \"r.sub.id == 'user-{number}'\"}}]\n"
        )
        for number in range(count - 1)
        for kind, action in [places[number % len(places)]]
    ]
    return [one, *others]


def _facts() -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    subject = PolicySet([]).subject
    sub = subject.facts(
        {
            "id": "user-1",
            "active": True,
            "admin": False,
            "service": False,
            **dict.fromkeys(("viewer_of", "contributor_of", "manager_of"), ()),
            "groups": ["group-1", "group-2"],
        }
    )
    values: dict[str, Any] = dict.fromkeys(SCHEMAS["run"].attributes, "")
    values |= {"groups": ["group-2"], "users": [], "archived": False, "embargo_until": None}
    return sub, SCHEMAS["run"].facts({**values, "owner": "user-2", "created_at": _ENV["now"]})


def _reduce_us(decider: Decider, sub: Mapping[str, Any]) -> float:
    def reduce() -> None:
        formula = reduced(decider.permits, {"sub": sub, "env": _ENV})
        SqlWriter().where(formula).as_string(None)

    return 1e6 / _per_s(reduce, 2000)


def _enforced_per_s(decider: Decider, sub: Any, obj: Any) -> float:
    """Casbin's part of a decision."""
    enforce = decider.enforce
    start = perf_counter()
    for _ in range(5000):
        assert enforce(sub, obj, _ENV)
    return 5000 / (perf_counter() - start)


def _per_s(action: Callable[[], object], count: int) -> float:
    taken = []
    for _ in range(_ROUNDS):
        start = perf_counter()
        for _ in range(count):
            action()
        taken.append(count / (perf_counter() - start))
    return median(taken)
