"""The decision point: denied unless permitted, and whatever goes wrong permits nothing."""

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from policies.compiled import compiled, compiled_once
from policies.document import read_policy
from policies.errors import PolicyError
from policies.formula import FALSE, TRUE, Formula, is_true
from policies.invariant import always_permitted
from policies.kinds import ACTIONS, RUN, SCHEMAS
from policies.language import parse_policy
from policies.pdp import Decider, DecisionsDiffer, PolicySet, Ruling
from policies.reduce import reduced
from policies.schema import Facts, MissingFact, Type, checked_value
from policies.subject import SUBJECT, with_declared

ENV: Facts = {"now": datetime(2030, 1, 1, tzinfo=UTC)}
PERSON = {
    "id": "ann",
    "active": True,
    "admin": False,
    "service": False,
    "groups": ["g"],
    "viewer_of": [],
    "contributor_of": (),
    "manager_of": frozenset[str](),
}
ENTITY = {
    "id": "run-1",
    "owner": "ann",
    "created_at": datetime(2029, 1, 1, tzinfo=UTC),
    "visibility": "private",
    "groups": [],
    "users": [],
    "name": "n",
    "archived": False,
    "project": "project-1",
    "experiment": "experiment-1",
    "experiment_owner": "bob",
    "executor": "executor-1",
    "status": "succeeded",
}


def policy(name: str, *rules: str, more: str = "", combine: str = "deny-overrides") -> str:
    """A policy over runs; each rule is `id effect condition`."""
    lines = []
    for one in rules:
        id_, effect, when = one.split(" ", 2)
        lines.append(f'    - {{id: {id_}, effect: {effect}, says: "says {id_}", when: "{when}"}}\n')
    head = f"policy: {name}\nentity: run\nactions: [read, note]\n{more}"
    return f"{head}root:\n  combine: {combine}\n  rules:\n{''.join(lines)}"


def policies(*texts: str) -> PolicySet:
    return PolicySet(map(read_policy, texts))


def ruling(set_: PolicySet, sub: dict[str, Any] | None = None, action: str = "read") -> Ruling:
    subject = set_.subject.facts({**PERSON, **(sub or {})})
    return set_.decider("run", action).rule(subject, RUN.facts(ENTITY), ENV)


OWNER = policy("owner", "own permit r.obj.owner == r.sub.id")
BAN = policy("ban", "ban deny 'banned' in r.sub.groups")


def test_without_policies_everything_is_denied() -> None:
    nothing = policies()
    for kind, actions in ACTIONS.items():
        for action in actions:
            assert nothing.decider(kind, action).permits == always_permitted(kind)
    assert ruling(nothing) == Ruling(False)
    assert ruling(nothing).because == "no rule permits it"


def test_a_permit_names_the_rule_that_gave_it() -> None:
    assert ruling(policies(OWNER, BAN)) == Ruling(True, "owner", "own")
    assert ruling(policies(OWNER, BAN), {"id": "bob"}) == Ruling(False)


def test_a_policy_permits_its_own_actions_and_kinds_only() -> None:
    set_ = policies(OWNER)
    deciders = set_.deciders.items()
    permitted = {key for key, one in deciders if one.permits != always_permitted(key[0])}
    assert permitted == {("run", "read"), ("run", "note")}
    with pytest.raises(KeyError):
        set_.decider("run", "fly")


def test_one_denial_is_stronger_than_the_permits_of_all_policies() -> None:
    permissive = policy("zeal", "all permit True", combine="permit-overrides")
    set_ = policies(OWNER, permissive, BAN)
    assert ruling(set_).permitted
    banned = ruling(set_, {"groups": ["banned"]})
    assert banned == Ruling(False, "ban", "ban", "says ban")
    assert banned.because == "rule `ban` of policy `ban` denies it: says ban"


def test_an_unknown_denial_denies_and_an_unknown_permit_does_not_permit() -> None:
    level = "subject: {level: int}\n"
    denial = policy("low", "low deny r.sub.level < 3", more=level)
    permit = policy("high", "high permit not r.sub.level < 3", more=level)
    assert ruling(policies(OWNER, denial), {"level": 3}).permitted
    assert not ruling(policies(OWNER, denial)).permitted
    assert not ruling(policies(OWNER, denial), {"level": "3"}).permitted
    assert not ruling(policies(OWNER, denial), {"level": True}).permitted
    assert not ruling(policies(OWNER, denial), {"level": 2**63}).permitted
    assert ruling(policies(permit), {"level": 3}).permitted
    assert not ruling(policies(permit)).permitted


def test_the_order_of_policies_does_not_matter() -> None:
    one, other = policies(OWNER, BAN), policies(BAN, OWNER)
    assert one.digest == other.digest
    assert one.decider("run", "read").permits == other.decider("run", "read").permits


def test_an_exception_in_deciding_permits_nothing() -> None:
    decider = policies(OWNER).decider("run", "read")
    with pytest.raises(KeyError):
        decider.rule({}, RUN.facts(ENTITY), ENV)
    with pytest.raises(KeyError):
        decider.rule(SUBJECT.facts(PERSON), {}, ENV)


def test_an_exception_in_what_casbin_calls_permits_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(sub: Facts, obj: Facts, env: Facts) -> bool:
        raise ZeroDivisionError

    decider = policies(OWNER).decider("run", "read")
    monkeypatch.setattr(decider, "_denies", broken)
    with pytest.raises(ZeroDivisionError):
        decider.rule(SUBJECT.facts(PERSON), RUN.facts(ENTITY), ENV)


def disagreeing(name: str, formula: Formula, monkeypatch: pytest.MonkeyPatch) -> Decider:
    decider = policies(OWNER, BAN).decider("run", "read")
    monkeypatch.setattr(decider, name, compiled(formula))
    return decider


@pytest.mark.parametrize(
    ("name", "formula"),
    [("decide", FALSE), ("_allows", FALSE), ("_denies", TRUE)],
)
def test_nothing_is_permitted_when_casbin_and_the_formula_disagree(
    monkeypatch: pytest.MonkeyPatch, name: str, formula: Formula
) -> None:
    decider = disagreeing(name, formula, monkeypatch)
    with pytest.raises(DecisionsDiffer):
        decider.rule(SUBJECT.facts(PERSON), RUN.facts(ENTITY), ENV)


def test_a_disabled_enforcer_permits_nothing_that_the_formula_denies() -> None:
    decider = policies(OWNER).decider("run", "read")
    decider._enforcer.enable_enforce(False)
    stranger = SUBJECT.facts({**PERSON, "id": "bob"})
    assert decider.enforce(stranger, RUN.facts(ENTITY), ENV), "casbin fails open"
    with pytest.raises(DecisionsDiffer):
        decider.rule(stranger, RUN.facts(ENTITY), ENV)


def test_text_that_casbin_would_rewrite_never_reaches_it() -> None:
    names = ["a!b", "a && b", "r.sub", "p.eft", "x || !y", "in (r.obj)"]
    for name in names:
        set_ = policies(policy("named", f"name permit r.obj.name == '{name}'"))
        sub = set_.subject.facts(PERSON)
        decider = set_.decider("run", "read")
        assert decider.rule(sub, RUN.facts({**ENTITY, "name": name}), ENV).permitted
        assert not decider.rule(sub, RUN.facts({**ENTITY, "name": "b"}), ENV).permitted


def shown(set_: PolicySet, field: str, sub: dict[str, Any]) -> bool:
    formula = set_.decider("run", "read").masks[field]
    subject = set_.subject.facts({**PERSON, **sub})
    return reduced(formula, {"sub": subject, "obj": RUN.facts(ENTITY), "env": ENV}) == TRUE


def test_a_field_is_shown_only_where_all_masks_of_it_hold() -> None:
    fields = "mask:\n  - {fields: [name, project], when: r.sub.admin}\n"
    first = policy("first", "all permit True", more=fields)
    more = "mask:\n  - {fields: [name], when: r.sub.service}\n"
    again = "  - {fields: [name], when: r.sub.id == 'ann'}\n"
    set_ = policies(first, policy("second", "all permit True", more=more + again))
    assert set_.decider("run", "read").masks.keys() == {"name", "project"}
    assert shown(set_, "project", {"admin": True})
    assert shown(set_, "name", {"admin": True, "service": True})
    assert not shown(set_, "name", {"admin": True})
    assert not shown(set_, "name", {"admin": True, "service": True, "id": "bob"})


def test_a_mask_that_depends_on_what_is_missing_hides() -> None:
    more = "subject: {level: int}\nmask:\n  - {fields: [name], when: not r.sub.level < 3}\n"
    set_ = policies(policy("p", "all permit True", more=more))
    assert shown(set_, "name", {"level": 3})
    assert not shown(set_, "name", {})


def test_obligations_come_with_every_ruling() -> None:
    recorded = policy("kept", "ban deny 'banned' in r.sub.groups", more="obligations: [record]\n")
    set_ = policies(OWNER, recorded)
    assert ruling(set_).obligations == ("record",)
    assert ruling(set_, {"id": "bob"}).obligations == ("record",)
    assert ruling(set_, {"groups": ["banned"]}).obligations == ("record",)


def test_policies_declare_an_attribute_with_one_type() -> None:
    level = policy("a", "a permit r.sub.level == 1", more="subject: {level: int}\n")
    same = policy("b", "b permit r.sub.level == 2", more="subject: {level: int}\n")
    other = policy("c", "c permit r.sub.level == '1'", more="subject: {level: str}\n")
    assert ruling(policies(level, same), {"level": 2}).rule == "b"
    with pytest.raises(PolicyError) as refused:
        policies(level, other)
    assert refused.value.detail == ("c/subject: `level` is a int in another policy, here a str")


@pytest.mark.parametrize("name", [name for name, a in RUN.attributes.items() if not a.nullable])
@pytest.mark.parametrize("value", [None, 1.5, b"x", ["a", 1], "\0"])
def test_an_entity_without_what_is_always_there_is_a_fault(name: str, value: Any) -> None:
    with pytest.raises(MissingFact, match=f"run without {name}"):
        RUN.facts({**ENTITY, name: value})
    with pytest.raises(MissingFact):
        RUN.facts({key: fact for key, fact in ENTITY.items() if key != name})


def test_a_subject_without_what_is_always_there_is_a_fault() -> None:
    for name in SUBJECT.attributes:
        with pytest.raises(MissingFact, match=f"subject without {name}"):
            SUBJECT.facts({**PERSON, name: None})


def test_a_number_that_no_float_holds_is_missing() -> None:
    assert checked_value(Type.FLOAT, 10**400) is None
    assert checked_value(Type.FLOAT, -(10**400)) is None
    assert checked_value(Type.FLOAT, 10**300) == 1e300


def test_a_set_for_one_question_compiles_no_more_than_that() -> None:
    whole = policies(OWNER, BAN)
    before = compiled.cache_info()
    part = PolicySet(whole.documents, {("run", "read")}, compiled_once)
    assert list(part.deciders) == [("run", "read")]
    assert part.decider("run", "read").permits == whole.decider("run", "read").permits
    values = SUBJECT.facts(PERSON), RUN.facts(ENTITY), ENV
    once = part.decider("run", "read").rule(*values)
    assert compiled.cache_info() == before
    assert once == whole.decider("run", "read").rule(*values)


def test_what_has_another_type_counts_as_missing_where_it_can_be() -> None:
    declared = with_declared(read_policy(policy("p", "a permit True", more=DECLARED)))
    wrong = {"n": True, "s": "\ud800", "b": 1, "g": "ab"}
    assert {name: declared.facts({**PERSON, **wrong})[name] for name in wrong} == dict.fromkeys(
        wrong
    )
    naive = RUN.facts({**ENTITY, "embargo_until": datetime(2030, 1, 1)})  # noqa: DTZ001
    assert naive["embargo_until"] is None


DECLARED = "subject: {n: int, s: str, b: bool, g: set}\n"


DENY_ALL = """
policy: siege
entity: all
actions: all
root:
  combine: deny-unless-permit
  rules:
    - {id: nobody, effect: permit, when: "False"}
"""


@pytest.mark.parametrize("action", ACTIONS["policy"])
def test_no_policy_keeps_administrators_from_policies(action: str) -> None:
    decider = policies(DENY_ALL).decider("policy", action)
    for active, admin in product((True, False), repeat=2):
        sub = SUBJECT.facts({**PERSON, "active": active, "admin": admin})
        assert decider.rule(sub, {}, ENV).permitted is (active and admin)


@pytest.mark.parametrize("kind", [kind for kind in SCHEMAS if kind != "policy"])
def test_a_policy_can_keep_administrators_from_all_else(kind: str) -> None:
    administrator, set_ = SUBJECT.facts({**PERSON, "admin": True}), policies(DENY_ALL)
    for action in ACTIONS[kind]:
        assert not set_.decider(kind, action).rule(administrator, {}, ENV).permitted


def test_an_empty_condition_on_either_side_is_no_permit() -> None:
    formula = is_true(parse_policy("overlap(r.sub.groups, r.obj.groups)", RUN, SUBJECT))
    nobody = SUBJECT.facts({**PERSON, "groups": []})
    assert reduced(formula, {"sub": nobody}) == FALSE
    assert reduced(formula, {"obj": RUN.facts(ENTITY)}) == FALSE
