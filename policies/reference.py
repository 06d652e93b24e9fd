"""A naive interpreter of policy documents: the oracle of the tests and of decisions made long ago.

It shares the parser with the rest and nothing else: it walks the tree of the document with
three-valued logic (None is unknown), one value at a time. Never used to answer a request.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from policies import condition as c
from policies.document import Combine, Effect, Node, PolicyDocument, Rule
from policies.kinds import SCHEMAS
from policies.language import parse_policy
from policies.schema import Schema, Type
from policies.subject import with_declared

Values = Mapping[str, Mapping[str, Any]]
"""Facts under `sub`, `obj` and `env`."""


def decide(documents: Sequence[PolicyDocument], kind: str, action: str, values: Values) -> bool:
    """Whether the policies together permit: one permits, and none possibly denies.

    Enabled administrators do everything with the policies themselves, whatever these say.
    """
    if kind == "policy" and values["sub"]["admin"] and values["sub"]["active"]:
        return True
    answers = [
        decide_tree(document, SCHEMAS[kind], values)
        for document in documents
        if _among(kind, document.entity) and _among(action, document.actions)
    ]
    return any(permits for permits, _ in answers) and not any(denies for _, denies in answers)


def _among(name: str, names: Sequence[str]) -> bool:
    return name in names or names == ["all"]


def decide_tree(document: PolicyDocument, schema: Schema, values: Values) -> tuple[bool, bool]:
    """Whether a tree certainly permits, and whether it possibly denies."""
    sub = with_declared(document)
    return _node(document.root, schema, sub, values)


def _node(node: Node | Rule, obj: Schema, sub: Schema, values: Values) -> tuple[bool, bool]:
    if isinstance(node, Rule):
        held = evaluate(parse_policy(node.when, obj, sub), values)
        if node.effect is Effect.PERMIT:
            return held is True, False
        return False, held is not False
    target = evaluate(parse_policy(node.target, obj, sub), values)
    permits, denies = _combined(
        node.combine, [_node(item, obj, sub, values) for item in node.rules]
    )
    return permits and target is True, denies and target is not False


def _combined(how: Combine, answers: Sequence[tuple[bool, bool]]) -> tuple[bool, bool]:
    permits = any(permit for permit, _ in answers)
    denies = any(deny for _, deny in answers)
    match how:
        case Combine.DENY_OVERRIDES:
            return permits and not denies, denies
        case Combine.PERMIT_OVERRIDES:
            return permits, denies and not permits
        case Combine.PERMIT_UNLESS_DENY:
            return not denies, denies
        case Combine.DENY_UNLESS_PERMIT:
            return permits, not permits
        case Combine.FIRST_APPLICABLE:
            return next((answer for answer in answers if any(answer)), (False, False))


def evaluate(condition: c.Condition, values: Values) -> bool | None:
    """True, False, or None for unknown (Kleene's strong logic)."""
    match condition:
        case c.Const(value):
            return value
        case c.Not(item):
            held = evaluate(item, values)
            return None if held is None else not held
        case c.And(items):
            return _least([evaluate(item, values) for item in items])
        case c.Or(items):
            held = _least([_opposite(evaluate(item, values)) for item in items])
            return _opposite(held)
        case c.Atom():
            return _atom(condition, values)


def _least(answers: Sequence[bool | None]) -> bool | None:
    if False in answers:
        return False
    return None if None in answers else True


def _opposite(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _atom(atom: c.Atom, values: Values) -> bool | None:
    left = _value(atom.left, values)
    if atom.right is None:
        return (left is None) == (atom.operator == "is None")
    right = _value(atom.right, values)
    if left is None or right is None:
        return None
    match atom.operator.split()[-1]:
        case "==":
            return bool(left == right)
        case "!=":
            return bool(left != right)
        case "in":
            found = left in right
        case "overlap":
            found = any(member in right for member in left)
        case "prefix":
            found = left[: len(right)] == right
        case order:
            return _ordered(order, left, right)
    return found is not atom.operator.startswith("not ")


def _ordered(order: str, left: Any, right: Any) -> bool:
    smaller, same = bool(left < right), bool(left == right)
    return {
        "<": smaller,
        "<=": smaller or same,
        ">": not (smaller or same),
        ">=": not smaller,
    }[order]


def _value(operand: c.Operand, values: Values) -> Any:
    match operand:
        case c.Value(value=value):
            return value
        case c.Ref(root, name):
            value = values[root][name]
            return float(value) if operand.type is Type.FLOAT and value is not None else value
        case c.Shifted(ref, by_us):
            time = values[ref.root][ref.name]
            try:
                return None if time is None else time + timedelta(microseconds=by_us)
            except OverflowError:
                return None
