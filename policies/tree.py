"""Policy trees as formula algebra.

Each node gives a pair of two-valued formulas: where it certainly permits, and where it possibly
denies. The five ways of combining are those of XACML 3.0, with its Indeterminate collapsed safely:
an unknown permit does not apply, an unknown denial denies.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from policies.condition import Condition
from policies.document import Combine, Effect, Node, PolicyDocument, Rule
from policies.errors import ExpressionError, PolicyError
from policies.formula import FALSE, Formula, all_of, any_of, is_true, negation, not_false
from policies.language import parse_policy
from policies.names import unknown
from policies.schema import Schema
from policies.subject import with_declared

HARDWARE = "allocation"
"""The kind whose policies say on what kind of node something runs."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Where a tree certainly permits, and where it possibly denies."""

    permits: Formula
    denies: Formula


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule with the targets above it: where it acts, as a formula."""

    id: str
    effect: Effect
    text: str
    says: str
    acts: Formula


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A policy over one kind of entity."""

    document: PolicyDocument
    schema: Schema
    pair: Pair
    rules: tuple[CompiledRule, ...]
    masks: dict[str, Formula]
    applies: Formula
    """Where its target is not false: what it demands holds there."""


def compile_policy(document: PolicyDocument, schema: Schema) -> CompiledPolicy:
    """The formulas of a policy over a kind of entity. Raises PolicyError and ExpressionError."""
    sub = with_declared(document)

    def parse(text: str, where: str) -> Condition:
        try:
            return parse_policy(text, schema, sub)
        except ExpressionError as error:
            raise PolicyError(error.detail, f"{document.policy}/{where}") from None

    rules: list[CompiledRule] = []
    pair = _node(document.root, parse, (), rules)
    masks: dict[str, Formula] = {}
    for mask in document.mask:
        shown = is_true(parse(mask.when, f"mask of {', '.join(mask.fields)}"))
        for name in mask.fields:
            if name not in schema.maskable:
                raise PolicyError(unknown(name, schema.maskable), f"{document.policy}/mask")
            masks[name] = all_of([masks[name], shown]) if name in masks else shown
    if document.demand is not None and schema.kind != HARDWARE:
        raise PolicyError(f"only policies on `{HARDWARE}` can demand", f"{document.policy}/demand")
    applies = not_false(parse(document.root.target, "target"))
    return CompiledPolicy(document, schema, pair, tuple(rules), masks, applies)


ParseAt = Callable[[str, str], Condition]


def _node(
    node: Node, parse: ParseAt, targets: tuple[Condition, ...], rules: list[CompiledRule]
) -> Pair:
    target = parse(node.target, "target")
    inner = (*targets, target)
    pairs = [
        _rule(item, parse, inner, rules)
        if isinstance(item, Rule)
        else _node(item, parse, inner, rules)
        for item in node.rules
    ]
    pair = _COMBINED[node.combine](pairs)
    return Pair(all_of([is_true(target), pair.permits]), all_of([not_false(target), pair.denies]))


def _rule(
    rule: Rule, parse: ParseAt, targets: Sequence[Condition], rules: list[CompiledRule]
) -> Pair:
    when = parse(rule.when, rule.id)
    held = is_true if rule.effect is Effect.PERMIT else not_false
    acts = all_of([*map(held, targets), held(when)])
    rules.append(CompiledRule(rule.id, rule.effect, rule.when, rule.says, acts))
    if rule.effect is Effect.PERMIT:
        return Pair(is_true(when), FALSE)
    return Pair(FALSE, not_false(when))


def _any_permit(pairs: Sequence[Pair]) -> Formula:
    return any_of(pair.permits for pair in pairs)


def _any_deny(pairs: Sequence[Pair]) -> Formula:
    return any_of(pair.denies for pair in pairs)


def deny_overrides(pairs: Sequence[Pair]) -> Pair:
    """One denial is enough; this is also how several policies combine."""
    denies = _any_deny(pairs)
    return Pair(all_of([_any_permit(pairs), negation(denies)]), denies)


def _permit_overrides(pairs: Sequence[Pair]) -> Pair:
    permits = _any_permit(pairs)
    return Pair(permits, all_of([_any_deny(pairs), negation(permits)]))


def _first_applicable(pairs: Sequence[Pair]) -> Pair:
    found = Pair(FALSE, FALSE)
    for pair in reversed(pairs):
        found = Pair(
            any_of([pair.permits, all_of([negation(pair.denies), found.permits])]),
            any_of([pair.denies, all_of([negation(pair.permits), found.denies])]),
        )
    return found


def _permit_unless_deny(pairs: Sequence[Pair]) -> Pair:
    denies = _any_deny(pairs)
    return Pair(negation(denies), denies)


def _deny_unless_permit(pairs: Sequence[Pair]) -> Pair:
    permits = _any_permit(pairs)
    return Pair(permits, negation(permits))


_COMBINED: dict[Combine, Callable[[Sequence[Pair]], Pair]] = {
    Combine.DENY_OVERRIDES: deny_overrides,
    Combine.PERMIT_OVERRIDES: _permit_overrides,
    Combine.FIRST_APPLICABLE: _first_applicable,
    Combine.PERMIT_UNLESS_DENY: _permit_unless_deny,
    Combine.DENY_UNLESS_PERMIT: _deny_unless_permit,
}
