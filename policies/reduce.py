"""Partial evaluation: what is left of a formula once some of its roots are known."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from policies.condition import NULL_TESTS, Atom, Operand, Ref, Root, Shifted, Value
from policies.formula import FALSE, TRUE, All, Any, Formula, Leaf, all_of, any_of, leaf
from policies.operators import holds
from policies.schema import Facts, Scalar, Type

Known = Mapping[Root, Facts]
"""The roots that are known, each with all attributes of its schema."""


@dataclass(frozen=True, slots=True)
class _Missing:
    """A known attribute without a value."""


_MISSING = _Missing()


def reduced(formula: Formula, known: Known) -> Formula:
    """The formula over what is still unknown; TRUE or FALSE if nothing is."""
    match formula:
        case Leaf():
            return _leaf(formula, known)
        case All(items):
            return all_of(reduced(item, known) for item in items)
        case Any(items):
            return any_of(reduced(item, known) for item in items)


def _leaf(one: Leaf, known: Known) -> Formula:
    atom = one.atom
    left = _operand(atom.left, known)
    if atom.operator in NULL_TESTS:
        return _null_test(atom.operator, left)
    assert atom.right is not None
    right = _operand(atom.right, known)
    if isinstance(left, _Missing) or isinstance(right, _Missing):
        return TRUE if one.maybe else FALSE
    if isinstance(left, Value) and isinstance(right, Value):
        return TRUE if holds(atom.operator, left.value, right.value) else FALSE
    if _is_empty(right) or _is_empty(left):
        other = left if _is_empty(right) else right
        return _beside_nothing(atom.operator, other, maybe=one.maybe)
    return leaf(Atom(atom.operator, left, right), maybe=one.maybe)


def _null_test(operator: str, operand: Operand | _Missing) -> Formula:
    if isinstance(operand, Ref | Shifted) and operand.nullable:
        return Leaf(Atom(operator, operand))
    return TRUE if isinstance(operand, _Missing) is (operator == "is None") else FALSE


def _is_empty(operand: Operand) -> bool:
    return isinstance(operand, Value) and operand.type is Type.SET and not operand.value


def _beside_nothing(operator: str, other: Operand, *, maybe: bool) -> Formula:
    """Nothing is in an empty set; but what is missing stays unknown."""
    if operator.startswith("not "):
        return TRUE if maybe else _null_test("is not None", other)
    return _null_test("is None", other) if maybe else FALSE


def _operand(operand: Operand, known: Known) -> Operand | _Missing:
    match operand:
        case Ref(root, name) if root in known:
            return _value(operand.type, known[root][name])
        case Shifted(ref, by_us) if ref.root in known:
            return _value(Type.TIME, shifted(known[ref.root][ref.name], by_us))
    return operand


def _value(type_: Type, value: Scalar | None) -> Value | _Missing:
    known = real(value) if type_ is Type.FLOAT else value
    return _MISSING if known is None else Value(type_, known)


def real(number: Scalar | None) -> Scalar | None:
    """A number as a float, as PostgreSQL compares it with one; missing if it is."""
    return None if number is None else float(number)  # type: ignore[arg-type]


def shifted(time: Scalar | None, by_us: int) -> Scalar | None:
    """A time moved by microseconds; missing if it is, or would leave the calendar."""
    if time is None:
        return None
    try:
        moved: Scalar = time + timedelta(microseconds=by_us)  # type: ignore[operator, assignment]
    except OverflowError:
        return None
    return moved
