"""Faults planted into the combining of trees: random policies have to find each of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random

import pytest

from policies import tree
from policies.compiled import compiled
from policies.document import Combine, PolicyDocument
from policies.formula import (
    FALSE,
    All,
    Any,
    Formula,
    Leaf,
    all_of,
    any_of,
    is_true,
    leaf,
    not_false,
)
from policies.reduce import reduced
from policies.reference import decide_tree
from policies.schema import Facts
from policies.tree import Pair, compile_policy
from tests.policy_trees import NOW, THING, document, facts, subject_schema

Patch = pytest.MonkeyPatch
Combined = Callable[[Sequence[Pair]], Pair]
ENV: Facts = {"now": NOW}
Question = tuple[PolicyDocument, Facts, Facts, tuple[bool, bool]]


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    """Policies, subjects and entities, with the interpreter's answers."""
    rng, subject = Random(4), subject_schema()
    asked = [(document(rng), facts(rng, subject), facts(rng, THING)) for _ in range(400)]
    return [
        (one, sub, obj, decide_tree(one, THING, {"sub": sub, "obj": obj, "env": ENV}))
        for one, sub, obj in asked
    ]


def differing(questions: Sequence[Question]) -> Iterator[PolicyDocument]:
    """Policies that the compiler takes for something else."""
    for one, sub, obj, answer in questions:
        pair = compile_policy(one, THING).pair
        left = [reduced(f, {"sub": sub, "env": ENV}) for f in (pair.permits, pair.denies)]
        if tuple(compiled(formula)({}, obj, {}) for formula in left) != answer:
            yield one


def swapped(how: Combine, other: Combined) -> Callable[[Patch], None]:
    return lambda patch: patch.setitem(tree._COMBINED, how, other)


def permits_first(pairs: Sequence[Pair]) -> Pair:
    return tree._permit_overrides(pairs)


def backwards(pairs: Sequence[Pair]) -> Pair:
    return tree._first_applicable(pairs[::-1])


def without_denials(pairs: Sequence[Pair]) -> Pair:
    return replace(tree.deny_overrides(pairs), denies=FALSE)


def careless(formula: Formula) -> Formula:
    """A negation that keeps how the unknown counts."""
    match formula:
        case Leaf(atom, maybe):
            return leaf(atom.complement, maybe=maybe)
        case All(items):
            return any_of(map(careless, items))
        case Any(items):
            return all_of(map(careless, items))


MUTANTS: dict[str, Callable[[Patch], None]] = {
    "a denial has to be certain": lambda patch: patch.setattr(tree, "not_false", is_true),
    "a permit may be unknown": lambda patch: patch.setattr(tree, "is_true", not_false),
    "a negation keeps the unknown": lambda patch: patch.setattr(tree, "negation", careless),
    "permits override denials": swapped(Combine.DENY_OVERRIDES, permits_first),
    "the last applicable rule counts": swapped(Combine.FIRST_APPLICABLE, backwards),
    "nothing is denied by default": swapped(Combine.DENY_UNLESS_PERMIT, permits_first),
    "denials go no further up": swapped(Combine.DENY_OVERRIDES, without_denials),
}


def test_the_compiler_as_it_is_differs_nowhere(questions: list[Question]) -> None:
    assert list(differing(questions)) == []


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_fault_is_found(questions: list[Question], monkeypatch: Patch, name: str) -> None:
    MUTANTS[name](monkeypatch)
    assert len(list(differing(questions))) >= 3
