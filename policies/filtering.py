"""Filters of lists: text to a formula that says nothing about what a caller may not see."""

from collections.abc import Mapping
from datetime import datetime

from policies.condition import Atom, Ref, Shifted, Value
from policies.formula import All, Any, Formula, Leaf, all_of, any_of, is_true
from policies.language import parse_filter
from policies.reduce import reduced
from policies.schema import Schema, Type, field_of


def filter_formula(text: str, schema: Schema, now: datetime) -> Formula:
    """Where a filter is true; what is missing never matches. Raises ExpressionError."""
    return reduced(is_true(parse_filter(text, schema)), {"env": {"now": now}})


def equals(schema: Schema, name: str, value: str) -> Formula:
    """Where a text attribute has a value."""
    attribute = schema.attributes.get(name) or schema.filters[name]
    return Leaf(Atom("==", Ref("obj", name, attribute), Value(Type.STR, value)))


def beneath(formula: Formula, masks: Mapping[str, Formula]) -> Formula:
    """The formula where each comparison of a masked field holds only where the field is shown."""
    match formula:
        case Leaf(atom):
            return all_of([*(masks[name] for name in _fields(atom) if name in masks), formula])
        case All(items):
            return all_of(beneath(item, masks) for item in items)
        case Any(items):
            return any_of(beneath(item, masks) for item in items)


def _fields(atom: Atom) -> set[str]:
    refs = [o.ref if isinstance(o, Shifted) else o for o in (atom.left, atom.right)]
    return {field_of(ref.attribute.source) for ref in refs if isinstance(ref, Ref)}
