"""Typed conditions: what the parser makes of text, before it becomes a formula."""

from dataclasses import dataclass
from typing import Literal

from policies.schema import Attribute, Scalar, Type

Root = Literal["sub", "obj", "env"]

COMPLEMENT = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "in": "not in",
    "not in": "in",
    "overlap": "not overlap",
    "not overlap": "overlap",
    "prefix": "not prefix",
    "not prefix": "prefix",
    "is None": "is not None",
    "is not None": "is None",
}
"""Each operator and the one that is true where it is false, and unknown where it is unknown."""

ORDERED = ("<", "<=", ">", ">=")
NULL_TESTS = ("is None", "is not None")


@dataclass(frozen=True, slots=True)
class Ref:
    """An attribute of the subject, the entity or the moment."""

    root: Root
    name: str
    attribute: Attribute

    @property
    def type(self) -> Type:
        """Its type."""
        return self.attribute.type

    @property
    def nullable(self) -> bool:
        """Whether it can be missing."""
        return self.attribute.nullable


@dataclass(frozen=True, slots=True)
class Value:
    """A literal, or an attribute that has become known."""

    type: Type
    value: Scalar
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Shifted:
    """A time attribute of the subject or the moment, moved by microseconds."""

    ref: Ref
    by_us: int

    @property
    def type(self) -> Type:
        """Always a time."""
        return Type.TIME

    @property
    def nullable(self) -> bool:
        """Missing with what it moves."""
        return self.ref.nullable


Operand = Ref | Value | Shifted


@dataclass(frozen=True, slots=True)
class Atom:
    """One comparison. `right` is None for the tests of absence."""

    operator: str
    left: Operand
    right: Operand | None = None

    @property
    def nullable(self) -> bool:
        """Whether it can be unknown."""
        if self.operator in NULL_TESTS:
            return False
        return self.left.nullable or (self.right is not None and self.right.nullable)

    @property
    def complement(self) -> "Atom":
        """True where this is false."""
        return Atom(COMPLEMENT[self.operator], self.left, self.right)


@dataclass(frozen=True, slots=True)
class Const:
    """`True` or `False`."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    """The negation of a condition."""

    item: "Condition"


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    items: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    items: tuple["Condition", ...]


Condition = Atom | Const | Not | And | Or
