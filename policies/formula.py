"""Two-valued formulas in negation normal form: what trees become, and everything is made from.

A leaf is an atom that IS TRUE, or one that IS NOT FALSE (`maybe`). A permit needs its condition to
be true, a denial only that it is not false, so what is missing can never grant.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from policies.condition import And, Atom, Condition, Const, Not, Or
from policies.errors import PolicyError

MAX_LEAVES = 5000
MAX_DEPTH = 100  # Python's parser takes 200 parentheses


@dataclass(frozen=True, slots=True)
class Leaf:
    """An atom that is true, or with `maybe` one that is not false."""

    atom: Atom
    maybe: bool = False

    @property
    def leaves(self) -> int:
        """One."""
        return 1

    @property
    def depth(self) -> int:
        """None below."""
        return 0


@dataclass(frozen=True, slots=True)
class All:
    """All of them; none is TRUE."""

    items: tuple["Formula", ...]
    leaves: int = field(default=0, compare=False)
    depth: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Any:
    """At least one of them; none is FALSE."""

    items: tuple["Formula", ...]
    leaves: int = field(default=0, compare=False)
    depth: int = field(default=0, compare=False)


Formula = Leaf | All | Any

TRUE: Formula = All(())
FALSE: Formula = Any(())


def leaf(atom: Atom, *, maybe: bool) -> Formula:
    """A leaf; where nothing can be missing, not false is true."""
    return Leaf(atom, maybe and atom.nullable)


def all_of(items: Iterable[Formula]) -> Formula:
    """The conjunction. Raises PolicyError when it grows too large or too deep."""
    flat: dict[Formula, None] = {}
    for item in items:
        if item == FALSE:
            return FALSE
        flat.update(dict.fromkeys(item.items if isinstance(item, All) else (item,)))
    return next(iter(flat)) if len(flat) == 1 else All(tuple(flat), *_size(flat))


def any_of(items: Iterable[Formula]) -> Formula:
    """The disjunction. Raises PolicyError when it grows too large or too deep."""
    flat: dict[Formula, None] = {}
    for item in items:
        if item == TRUE:
            return TRUE
        flat.update(dict.fromkeys(item.items if isinstance(item, Any) else (item,)))
    return next(iter(flat)) if len(flat) == 1 else Any(tuple(flat), *_size(flat))


def negation(formula: Formula) -> Formula:
    """True where the formula is false."""
    match formula:
        case Leaf(atom, maybe):
            return leaf(atom.complement, maybe=not maybe)
        case All(items):
            return any_of(map(negation, items))
        case Any(items):
            return all_of(map(negation, items))


def is_true(condition: Condition) -> Formula:
    """Where a condition is true."""
    return _formula(condition, maybe=False, negated=False)


def not_false(condition: Condition) -> Formula:
    """Where a condition is true or unknown."""
    return _formula(condition, maybe=True, negated=False)


def atoms(formula: Formula) -> Iterator[Atom]:
    """All atoms of a formula."""
    if isinstance(formula, Leaf):
        yield formula.atom
    else:
        for item in formula.items:
            yield from atoms(item)


def _formula(condition: Condition, *, maybe: bool, negated: bool) -> Formula:
    match condition:
        case Atom():
            return leaf(condition.complement if negated else condition, maybe=maybe)
        case Const(value):
            return TRUE if value is not negated else FALSE
        case Not(item):
            return _formula(item, maybe=maybe, negated=not negated)
        case And(items) | Or(items):
            inner = [_formula(item, maybe=maybe, negated=negated) for item in items]
            return all_of(inner) if isinstance(condition, And) is not negated else any_of(inner)


def _size(items: Collection[Formula]) -> tuple[int, int]:
    """Leaves and depth of what combines these."""
    leaves = sum(item.leaves for item in items)
    depth = 1 + max((item.depth for item in items), default=0)
    if leaves > MAX_LEAVES:
        raise PolicyError(f"compiled, it has more than {MAX_LEAVES} comparisons", "tree")
    if depth > MAX_DEPTH:
        raise PolicyError(f"compiled, it is nested deeper than {MAX_DEPTH} levels", "tree")
    return leaves, depth
