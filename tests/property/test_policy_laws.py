"""Laws of policies over random trees: all evaluators agree, and what is missing never grants."""

from collections import Counter
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.compiled import compiled
from policies.document import Combine
from policies.formula import FALSE, TRUE, Formula, negation
from policies.pdp import Decider
from policies.reduce import reduced
from policies.reference import decide_tree
from policies.schema import Facts
from policies.tree import CompiledPolicy, compile_policy
from tests.policy_trees import (
    NOW,
    THING,
    completed,
    document,
    facts,
    subject_schema,
)

RANDOM = st.randoms(use_true_random=False)
ENV: Facts = {"now": NOW}
SUBJECT = subject_schema()
examples = settings(
    max_examples=250,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def policy(
    rng: Random, *, null_tests: bool = True, combine: Combine | None = None
) -> CompiledPolicy:
    return compile_policy(document(rng, null_tests=null_tests, combine=combine), THING)


def holds(formula: Formula, sub: Facts, obj: Facts) -> bool:
    return compiled(formula)(sub, obj, ENV)


def test_interpreter_python_and_casbin_give_the_same_answers() -> None:
    seen: Counter[str] = Counter()

    @examples
    @given(RANDOM)
    def law(rng: Random) -> None:
        one = policy(rng)
        decider = Decider("run", "read", [one])
        for _ in range(3):
            sub, obj = facts(rng, SUBJECT), facts(rng, THING)
            values = {"sub": sub, "obj": obj, "env": ENV}
            permits, denies = decide_tree(one.document, THING, values)
            assert holds(one.pair.permits, sub, obj) is permits
            assert holds(one.pair.denies, sub, obj) is denies
            assert decider.rule(sub, obj, ENV).permitted is (permits and not denies)
            left = reduced(one.pair.permits, {"sub": sub, "env": ENV})
            assert holds(left, {}, obj) is permits
            seen["permit" if permits else "deny" if denies else "neither"] += 1
            seen["constant" if left in (TRUE, FALSE) else "residual"] += 1

    law()
    assert min(seen["permit"], seen["deny"], seen["neither"], seen["residual"]) >= 75, seen


def test_of_several_policies_one_permits_and_none_denies() -> None:
    seen: Counter[bool] = Counter()

    @examples
    @given(RANDOM)
    def law(rng: Random) -> None:
        several = [policy(rng) for _ in range(rng.choice((0, 2, 3)))]
        kind = rng.choice(("run", "policy"))
        decider = Decider(kind, "read", several)
        sub, obj = facts(rng, SUBJECT), facts(rng, THING)
        values = {"sub": sub, "obj": obj, "env": ENV}
        answers = [decide_tree(one.document, THING, values) for one in several]
        governs = kind == "policy" and sub["admin"] and sub["active"]
        expected = governs or (any(p for p, _ in answers) and not any(d for _, d in answers))
        assert decider.rule(sub, obj, ENV).permitted is expected
        seen[expected] += 1

    law()
    assert min(seen[True], seen[False]) >= 50, seen


def test_what_is_missing_never_grants() -> None:
    seen: Counter[str] = Counter()

    @examples
    @given(RANDOM)
    def law(rng: Random) -> None:
        one = policy(rng, null_tests=False)
        for _ in range(3):
            sub, obj = facts(rng, SUBJECT, missing=0.6), facts(rng, THING, missing=0.6)
            if not holds(one.pair.permits, sub, obj):
                continue
            for _ in range(4):
                whole = completed(rng, sub, SUBJECT), completed(rng, obj, THING)
                assert holds(one.pair.permits, *whole)
            seen["permitted"] += 1

    law()
    assert seen["permitted"] >= 75, seen


def test_what_is_missing_can_only_add_denials() -> None:
    seen: Counter[str] = Counter()

    @examples
    @given(RANDOM)
    def law(rng: Random) -> None:
        one = policy(rng, null_tests=False)
        for _ in range(3):
            sub, obj = facts(rng, SUBJECT, missing=0.6), facts(rng, THING, missing=0.6)
            if holds(one.pair.denies, sub, obj):
                continue
            whole = completed(rng, sub, SUBJECT), completed(rng, obj, THING)
            assert not holds(one.pair.denies, *whole)
            seen["not denied"] += 1

    law()
    assert seen["not denied"] >= 75, seen


def test_roots_can_become_known_in_any_order() -> None:
    seen: Counter[str] = Counter()

    @examples
    @given(RANDOM)
    def law(rng: Random) -> None:
        one, sub, obj = policy(rng), facts(rng, SUBJECT), facts(rng, THING)
        for formula in (one.pair.permits, one.pair.denies):
            answer = TRUE if holds(formula, sub, obj) else FALSE
            for_entity = reduced(formula, {"obj": obj, "env": ENV})
            for_subject = reduced(reduced(formula, {"env": ENV}), {"sub": sub})
            assert reduced(for_entity, {"sub": sub}) == answer
            assert reduced(for_subject, {"obj": obj}) == answer
            assert reduced(formula, {"sub": sub, "obj": obj, "env": ENV}) == answer
            assert compiled(for_entity)(sub, {}, {}) is (answer == TRUE)
            seen["residual"] += for_subject not in (TRUE, FALSE)

    law()
    assert seen["residual"] >= 75, seen


@examples
@given(RANDOM)
def test_a_negation_is_the_opposite_and_twice_the_same(rng: Random) -> None:
    pair = policy(rng).pair
    for formula in (pair.permits, pair.denies):
        opposite = negation(formula)
        sub, obj = facts(rng, SUBJECT), facts(rng, THING)
        assert holds(opposite, sub, obj) is not holds(formula, sub, obj)
        assert holds(negation(opposite), sub, obj) is holds(formula, sub, obj)


@examples
@given(RANDOM)
def test_where_denials_override_nothing_is_both_permitted_and_denied(rng: Random) -> None:
    pair = policy(rng, combine=Combine.DENY_OVERRIDES).pair
    for _ in range(3):
        sub, obj = facts(rng, SUBJECT), facts(rng, THING)
        assert not (holds(pair.permits, sub, obj) and holds(pair.denies, sub, obj))
