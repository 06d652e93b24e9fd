"""Questions about policies: why, who could, what would change, and whether anybody stays in charge.

All of them are answered by the formulas that decide; nothing here knows rows or the record.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.errors import Invalid
from policies.access import Access
from policies.cases import Failure, failures
from policies.condition import NULL_TESTS, Ref, Shifted
from policies.document import Effect
from policies.filtering import beneath
from policies.formula import TRUE, Any, Formula, Leaf, all_of, any_of, atoms, leaf, negation
from policies.kinds import ACTIONS, SCHEMAS
from policies.names import unknown
from policies.pdp import PolicySet
from policies.reduce import Known, reduced
from policies.schema import Facts, field_of
from policies.tree import CompiledRule

GOVERNING: Mapping[str, Sequence[str]] = {
    "policy": ("read", "propose", "activate", "retire"),
    "user": ("read", "update"),
}
"""What somebody must be able to do under any set of policies, by kind of entity."""


_FROM_ROLES = ("viewer_of", "contributor_of", "manager_of")


def check_action(kind: str, action: str) -> None:
    """Raise Invalid unless entities of this kind are kept, and can have this done to them."""
    kinds = [name for name, schema in SCHEMAS.items() if schema.table is not None]
    if kind not in kinds:
        raise Invalid(unknown(kind, kinds), field="kind")
    if action not in ACTIONS[kind]:
        raise Invalid(unknown(action, ACTIONS[kind]), field="action")


def able(policies: PolicySet, kind: str, action: str) -> Formula:
    """Where an action is possible: what may not be seen may not be done to either."""
    permits = policies.decider(kind, action).permits
    if action in ("read", "create"):
        return permits
    return all_of([policies.decider(kind, "read").permits, permits])


def who_is_able(access: Access, kind: str, action: str, obj: Facts) -> Formula:
    """Which subjects could do it to this entity, now."""
    return reduced(able(access.policies, kind, action), {"obj": obj, "env": access.env})


def as_shown(subjects: Formula, masks: Mapping[str, Formula]) -> Formula:
    """A formula over subjects as far as the masks on people leave anything to tell.

    Which projects somebody sees follows from roles, so either mask covers all of it.
    """
    roles = all_of(masks[name] for name in ("roles", "viewer_of") if name in masks)
    return beneath(subjects, {**masks, **dict.fromkeys(_FROM_ROLES, roles)})


def decisive_action(access: Access, kind: str, action: str, obj: Facts) -> str:
    """The action whose decision counts: reading, where that is not permitted already."""
    if action in ("read", "create") or access.permits(kind, "read", obj):
        return action
    return "read"


def mentioned(formula: Formula) -> set[str]:
    """Fields of the entity that a formula compares, as masks name them."""
    return {field_of(ref.attribute.source) for ref in _refs(formula) if ref.root == "obj"}


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """What one rule says to one request, and which missing attributes leave it unknown."""

    policy: str
    rule: str
    effect: str
    says: str
    text: str
    outcome: str  # permits, denies, unknown, does not apply, masked
    unknown: list[str]


def explained(
    access: Access, kind: str, action: str, obj: Facts, masked: frozenset[str]
) -> list[RuleAnswer]:
    """All rules on an action, each by itself: how they combine is for the ruling to say.

    What rules on masked fields come to would tell what these hold, so it is left out.
    """
    known: Known = {"sub": access.subject, "obj": obj, "env": access.env}
    decider = access.policies.decider(kind, action)
    return [
        _answer(policy.document.policy, rule, known, masked)
        for policy in decider.policies
        for rule in policy.rules
    ]


def _answer(policy: str, rule: CompiledRule, known: Known, masked: frozenset[str]) -> RuleAnswer:
    outcome, missing = ("masked", []) if mentioned(rule.acts) & masked else _outcome(rule, known)
    return RuleAnswer(policy, rule.id, rule.effect, rule.says, rule.text, outcome, missing)


def _outcome(rule: CompiledRule, known: Known) -> tuple[str, list[str]]:
    """What a rule comes to, and which missing attributes keep it from being certain."""
    certain = reduced(_in_mode(rule.acts, maybe=False), known) == TRUE
    possible = reduced(_in_mode(rule.acts, maybe=True), known) == TRUE
    missing = _missing(rule.acts, known) if possible and not certain else []
    if not possible:
        return "does not apply", missing
    if rule.effect is Effect.DENY:
        return "denies", missing
    return ("permits" if certain else "unknown"), missing


def _in_mode(formula: Formula, *, maybe: bool) -> Formula:
    """Where the condition behind a formula is true, or with `maybe` not false."""
    if isinstance(formula, Leaf):
        return leaf(formula.atom, maybe=maybe)
    items = [_in_mode(item, maybe=maybe) for item in formula.items]
    return any_of(items) if isinstance(formula, Any) else all_of(items)


def _missing(formula: Formula, known: Known) -> list[str]:
    """Names of the attributes without a value that comparisons of a formula ask for."""
    refs = [ref for ref in _refs(formula) if known[ref.root][ref.name] is None]
    return sorted({f"r.{ref.root}.{ref.name}" for ref in refs})


def _refs(formula: Formula) -> Iterator[Ref]:
    """The attributes whose values a formula compares."""
    for atom in atoms(formula):
        for side in (atom.left, atom.right) if atom.operator not in NULL_TESTS else ():
            ref = side.ref if isinstance(side, Shifted) else side
            if isinstance(ref, Ref):
                yield ref


@dataclass(frozen=True, slots=True)
class Difference:
    """Which entities a change lets somebody do something to, and which no longer."""

    gained: Formula
    lost: Formula


def difference(before: Access, after: Access, kind: str, action: str = "read") -> Difference:
    """What differs between two subjects, or between two sets of policies, as formulas over rows."""
    old, new = (
        reduced(able(access.policies, kind, action), {"sub": access.subject, "env": access.env})
        for access in (before, after)
    )
    return Difference(all_of([new, negation(old)]), all_of([old, negation(new)]))


def changed_kinds(old: PolicySet, new: PolicySet) -> list[str]:
    """Kinds of which another set of policies might show other rows."""
    return [
        kind
        for kind, schema in SCHEMAS.items()
        if schema.table is not None
        and old.decider(kind, "read").permits != new.decider(kind, "read").permits
    ]


def new_failures(changed: str, old: PolicySet, new: PolicySet) -> list[Failure]:
    """Embedded tests that fail under a new set: all of the changed policy, of others what is new.

    What fails already must not stand in the way of mending it. Raises PolicyError.
    """
    found = failures(new.documents, new)
    if not found:
        return []
    others = [document for document in old.documents if document.policy != changed]
    known = {(failure.policy, failure.case) for failure in failures(others, old)}
    return [failure for failure in found if (failure.policy, failure.case) not in known]


def stays_governed(
    policies: PolicySet,
    administrators: Iterable[Facts],
    objects: Mapping[str, Sequence[Facts]],
    now: datetime,
) -> bool:
    """Whether one of the administrators could do all that governs; `objects` are what to, by kind.

    That these can change policies holds by `policies.invariant` as well; here it is looked at.
    """
    return any(
        all(
            _able_to(Access(policies, administrator, now), kind, action, obj)
            for kind, actions in GOVERNING.items()
            for action in actions
            for obj in objects[kind]
        )
        for administrator in administrators
    )


def _able_to(access: Access, kind: str, action: str, obj: Facts) -> bool:
    return access.ruling(kind, decisive_action(access, kind, action, obj), obj).permitted
