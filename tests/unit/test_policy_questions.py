"""Questions about policies, answered without rows: rules one by one, differences, the invariant."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.redecide import redecide, texts_by_digest
from domain.decision import Decision
from domain.errors import Invalid
from domain.policy import Policy
from policies.access import Access
from policies.described import described
from policies.document import read_policy
from policies.formula import FALSE, TRUE
from policies.kinds import ACTIONS, SCHEMAS
from policies.pdp import PolicySet
from policies.questions import (
    GOVERNING,
    RuleAnswer,
    changed_kinds,
    check_action,
    decisive_action,
    difference,
    explained,
    mentioned,
    new_failures,
    stays_governed,
    who_is_able,
)
from policies.reduce import reduced
from policies.reference import decide
from policies.schema import Facts
from policies.shipped import shipped_policies

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SHIPPED = list(shipped_policies().values())
NOTHING = {
    "project": "",
    "name": "",
    "archived": False,
    "visibility": "private",
    "groups": [],
    "users": [],
}


def policy_set(*texts: str) -> PolicySet:
    return PolicySet(map(read_policy, texts))


def one_rule(when: str, effect: str = "deny", **more: str) -> str:
    lines = {"policy": "mine", "entity": "experiment", "actions": "read", **more}
    head = "".join(f"{name}: {value}\n" for name, value in lines.items() if name != "target")
    target = f"  target: {more['target']}\n" if "target" in more else ""
    return (
        f"{head}root:\n  combine: deny-overrides\n{target}"
        f'  rules:\n    - {{id: it, effect: {effect}, when: "{when}"}}\n'
    )


def subject(policies: PolicySet, **values: Any) -> Facts:
    roles: dict[str, list[str]] = {
        name: [] for name in ("groups", "viewer_of", "contributor_of", "manager_of")
    }
    plain = {"id": "user-eve", "active": True, "admin": False, "service": False, **roles}
    return policies.subject.facts({**plain, **values})


def an_object(kind: str, **values: Any) -> Facts:
    plain = {**NOTHING, "id": f"{kind}-x", "owner": "user-bob", "created_at": NOW}
    user = {"active": True, "admin": False, "service": False, "projects": []}
    return SCHEMAS[kind].facts({**plain, **(user if kind == "user" else {}), **values})


def access(policies: PolicySet, **values: Any) -> Access:
    return Access(policies, subject(policies, **values), NOW)


def answer_of(text: str, obj: Facts | None = None, **values: Any) -> RuleAnswer:
    rights = access(policy_set(text), **values)
    obj = obj or an_object("experiment")
    (found,) = explained(rights, "experiment", "read", obj, frozenset())
    return found


def test_a_rule_permits_denies_does_not_apply_or_is_unknown() -> None:
    owner = "r.obj.owner == r.sub.id"
    assert answer_of(one_rule(owner, "permit"), id="user-bob").outcome == "permits"
    assert answer_of(one_rule(owner), id="user-bob").outcome == "denies"
    assert answer_of(one_rule(owner)).outcome == "does not apply"
    level = one_rule("r.sub.level > 3", "permit", subject="{level: int}")
    missing = answer_of(level)
    assert (missing.outcome, missing.unknown) == ("unknown", ["r.sub.level"])
    assert answer_of(level, level=4).outcome == "permits"
    assert answer_of(level, level=4).unknown == []


def test_an_unknown_denial_denies_and_says_what_is_missing() -> None:
    text = one_rule(
        "r.obj.embargo_until > r.env.now", target="not r.sub.guest", subject="{guest: bool}"
    )
    found = answer_of(text)
    assert (found.outcome, found.unknown) == ("denies", ["r.obj.embargo_until", "r.sub.guest"])
    assert answer_of(text, guest=True).outcome == "does not apply"
    assert answer_of(text, guest=True).unknown == []
    certain = answer_of(text, an_object("experiment", embargo_until=NOW.replace(year=2031)))
    assert (certain.outcome, certain.unknown) == ("denies", ["r.sub.guest"])
    asked = answer_of(one_rule("r.sub.guest is None", "permit", subject="{guest: bool}"))
    assert (asked.outcome, asked.unknown) == ("permits", [])


def test_rules_on_masked_fields_tell_nothing() -> None:
    rights = access(policy_set(*SHIPPED))
    obj = an_object("experiment", visibility="public")
    found = explained(rights, "experiment", "read", obj, frozenset({"visibility"}))
    outcomes = {answer.rule: answer.outcome for answer in found}
    assert outcomes["public"] == outcomes["shared-with-the-project"] == "masked"
    assert outcomes["owner"] == "does not apply"
    read = rights.policies.decider("experiment", "read").permits
    assert {"visibility", "users", "embargo_until"} <= mentioned(read)


def test_every_explanation_fits_the_decision_of_the_shipped_policies() -> None:
    policies = policy_set(*SHIPPED)
    people = [
        access(policies),
        access(policies, id="user-bob"),
        access(policies, groups=["group-y"]),
        access(policies, admin=True),
        access(policies, admin=True, active=False),
    ]
    objects = [
        an_object("experiment"),
        an_object("experiment", visibility="public"),
        an_object("experiment", groups=["group-y"]),
        an_object("experiment", visibility="public", embargo_until=NOW.replace(year=2031)),
    ]
    decided = set()
    for rights in people:
        for obj in objects:
            for action in ACTIONS["experiment"]:
                outcomes = {
                    answer.outcome
                    for answer in explained(rights, "experiment", action, obj, frozenset())
                }
                permitted = rights.ruling("experiment", action, obj).permitted
                assert permitted is ("permits" in outcomes and "denies" not in outcomes)
                decided.add((action, permitted))
    assert len(decided) == 2 * len(ACTIONS["experiment"])


def test_what_may_not_be_read_may_not_be_done_to() -> None:
    policies = policy_set(one_rule("True", "permit", actions="update"))
    obj = an_object("experiment")
    assert decisive_action(access(policies), "experiment", "update", obj) == "read"
    assert decisive_action(access(policies), "experiment", "create", obj) == "create"
    assert who_is_able(access(policies), "experiment", "update", obj) == FALSE
    both = policy_set(one_rule("True", "permit", actions="[read, update]"))
    assert decisive_action(access(both), "experiment", "update", obj) == "update"
    assert who_is_able(access(both), "experiment", "update", obj) == TRUE


def test_only_actions_on_what_is_kept_can_be_asked_about() -> None:
    check_action("run", "cancel")
    for kind, action in (("run", "fly"), ("rum", "read"), ("allocation", "allocate")):
        with pytest.raises(Invalid):
            check_action(kind, action)


def test_no_difference_is_no_rows_and_a_denial_of_all_loses_all() -> None:
    old, new = policy_set(*SHIPPED), policy_set(*SHIPPED, one_rule("True"))
    same = difference(access(old), access(old), "experiment")
    bob = an_object("experiment", owner="user-eve")
    assert changed_kinds(old, old) == []
    assert changed_kinds(old, new) == ["experiment"]
    change = difference(access(old), access(new), "experiment")
    assert change.gained == FALSE
    for formula, expected in ((same.gained, FALSE), (same.lost, FALSE), (change.lost, TRUE)):
        assert reduced(formula, {"obj": bob}) == expected


def test_active_administrators_do_everything_with_policies_whatever_these_say() -> None:
    shut = one_rule("True", entity="policy", actions="all")
    policies = policy_set(*SHIPPED, shut)
    obj = an_object("policy")
    documents = policies.documents
    for action in ACTIONS["policy"]:
        for admin, active in ((True, True), (True, False), (False, True)):
            rights = access(policies, admin=admin, active=active)
            expected = admin and active
            values = {"sub": rights.subject, "obj": obj, "env": rights.env}
            assert rights.ruling("policy", action, obj).permitted is expected
            assert policies.decider("policy", action).enforce(rights.subject, obj, rights.env) is (
                expected
            )
            assert decide(documents, "policy", action, values) is expected
    ruling = access(policies, admin=True).ruling("policy", "activate", obj)
    assert (ruling.rule, ruling.because) == (
        None,
        "administrators may always do this with policies",
    )
    assert "record" in ruling.obligations
    assert not access(policy_set(one_rule("True")), admin=True).permits(
        "experiment", "read", an_object("experiment")
    )


def test_somebody_must_be_able_to_govern() -> None:
    shipped = policy_set(*SHIPPED)
    objects = {kind: [an_object(kind)] for kind in GOVERNING}
    admin, nobody = subject(shipped, admin=True), subject(shipped)
    assert stays_governed(shipped, [nobody, admin], objects, NOW)
    assert not stays_governed(shipped, [nobody], objects, NOW)
    assert not stays_governed(shipped, [], objects, NOW)
    for action in GOVERNING["user"]:
        shut = policy_set(*SHIPPED, one_rule("r.sub.admin", entity="user", actions=action))
        assert not stays_governed(shut, [subject(shut, admin=True)], objects, NOW)


def test_what_failed_before_does_not_stand_in_the_way() -> None:
    case = "tests: [{sub: {id: user-eve}, obj: {owner: user-eve}, expect: permit}]\n"
    failing = one_rule("False", policy="failing") + case
    other = one_rule("False", policy="other")
    old = policy_set(failing, other)
    assert new_failures("other", old, policy_set(failing)) == []
    assert [f.policy for f in new_failures("failing", old, old)] == ["failing"]
    reading = one_rule("r.obj.owner == r.sub.id", "permit", policy="reading")
    before, after = policy_set(failing, reading), policy_set(failing)
    assert [f.policy for f in new_failures("reading", before, after)] == ["failing"]


def test_the_description_has_every_kind_and_action() -> None:
    found = described(policy_set(*SHIPPED).subject)
    assert {kind: tuple(of["actions"]) for kind, of in found["kinds"].items()} == dict(ACTIONS)
    assert found["moment"] == {"now": {"type": "time", "nullable": False}}


def a_decision(permitted: bool, **changes: Any) -> Decision:
    policies = policy_set(one_rule("r.obj.embargo_until > r.env.now", "permit"))
    members: dict[str, Any] = {
        "subject": {"id": "user-eve", "groups": []},
        "kind": "experiment",
        "entity": "experiment-x",
        "action": "read",
        "object": {"embargo_until": "2030-01-02T00:00:00+00:00"},
        "env": {"now": NOW.isoformat()},
        "permitted": permitted,
        "rule": None,
        "policy": None,
        "policies": policies.digests,
        "policy_set": policies.digest,
    }
    return Decision.record(
        "decision-00000000-0000-7000-8000-000000000000", **{**members, **changes}
    )


def test_a_decision_comes_out_again_from_what_was_recorded() -> None:
    policy = Policy.create("mine")
    text = one_rule("r.obj.embargo_until > r.env.now", "permit")
    policy.propose(text, read_policy(text).digest, "", "user-ada")
    policy.propose("no policy any more", "0" * 64, "", "user-ada")
    texts = texts_by_digest([policy])
    assert redecide(a_decision(True), texts).agrees
    assert redecide(a_decision(False), texts).as_dict() == {
        "agrees": False,
        "recorded": False,
        "again": True,
        "problem": None,
    }
    over = {"object": {"embargo_until": NOW.isoformat()}}
    assert redecide(a_decision(True, **over), texts).again is False
    for changes, word in (
        ({"object": {}}, "embargo_until"),
        ({"object": {"embargo_until": "soon"}}, "soon"),
        ({"kind": "nothing"}, "nothing"),
        ({"policies": {"mine": "1" * 64}}, "not in the record"),
        ({"policies": {"other": read_policy(text).digest}}, "not in the record"),
    ):
        found = redecide(a_decision(True, **changes), texts)
        assert (found.agrees, found.again) == (False, None)
        assert word in (found.problem or "")
