"""Random policies, subjects and entities over a small world, so that much of it coincides."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from policies.document import Combine, PolicyDocument
from policies.schema import Attribute, Facts, JsonPath, Schema, Type, column
from policies.subject import with_declared

NOW = datetime(2030, 1, 1, tzinfo=UTC)
_COLUMNS = {
    "s": Type.STR,
    "n": Type.INT,
    "b": Type.BOOL,
    "t": Type.TIME,
    "g": Type.SET,
}
THING = Schema(
    "thing",
    "thing",
    {
        **{f"{name}1": column(type_, f"{name}1") for name, type_ in _COLUMNS.items()},
        **{
            f"{name}2": column(type_, f"{name}2", nullable=True) for name, type_ in _COLUMNS.items()
        },
        "in_doc": Attribute(Type.STR, JsonPath("doc", ("k", "s")), nullable=True),
        "level": Attribute(Type.INT, JsonPath("doc", ("n",)), nullable=True),
    },
)
"""An entity with two attributes of each type, one of which may be missing, and two in JSON."""

DECLARED = {"team": "str", "level": "int", "trusted": "bool", "marks": "set"}
_TEXTS = ("a", "b", "ab", "")
_VALUES: Mapping[Type, Sequence[Any]] = {
    Type.STR: _TEXTS,
    Type.INT: (0, 1, 2),
    Type.BOOL: (True, False),
    Type.TIME: tuple(NOW + timedelta(hours=hours) for hours in (-1, 0, 1)),
    Type.SET: tuple(map(frozenset, ((), ("a",), ("b",), ("a", "b")))),
}
_ORDER = ("==", "!=", "<", "<=", ">", ">=")
_SHARE_MISSING = 0.3


def document(
    rng: Random, *, null_tests: bool = True, combine: Combine | None = None
) -> PolicyDocument:
    """A policy whose tree is up to three nodes deep."""
    writer = _Writer(rng, null_tests=null_tests)
    root = writer.node(3)
    if combine is not None:
        root["combine"] = combine
    raw = {"policy": "p", "entity": ["run"], "actions": ["read"], "subject": DECLARED, "root": root}
    return PolicyDocument.model_validate(raw)


def subject_schema() -> Schema:
    """The subject's attributes, declared ones included."""
    return with_declared(document(Random(0)))


def facts(rng: Random, schema: Schema, *, missing: float = _SHARE_MISSING) -> dict[str, Any]:
    """Values of all attributes, some missing where they can be."""
    return {
        name: None
        if attribute.nullable and rng.random() < missing
        else rng.choice(_VALUES[attribute.type])
        for name, attribute in schema.attributes.items()
    }


def completed(rng: Random, values: Facts, schema: Schema) -> dict[str, Any]:
    """The same with something for all that is missing."""
    return {
        name: rng.choice(_VALUES[schema.attributes[name].type]) if value is None else value
        for name, value in values.items()
    }


class _Writer:
    """Writes the text of trees."""

    def __init__(self, rng: Random, *, null_tests: bool) -> None:
        self._rng = rng
        self._null_tests = null_tests
        self._rules = 0

    def node(self, depth: int) -> dict[str, Any]:
        rng = self._rng
        return {
            "combine": rng.choice(list(Combine)),
            "target": self._condition(1) if rng.random() < 0.3 else "True",
            "rules": [
                self.node(depth - 1) if depth > 1 and rng.random() < 0.4 else self._rule()
                for _ in range(rng.choice((1, 2, 3)))
            ],
        }

    def _rule(self) -> dict[str, str]:
        self._rules += 1
        effect = self._rng.choice(("permit", "permit", "deny"))
        return {"id": f"r{self._rules}", "effect": effect, "when": self._condition(2)}

    def _condition(self, depth: int) -> str:
        how = self._rng.random()
        if depth == 0 or how < 0.4:
            return self._atom()
        if how < 0.55:
            return f"not ({self._condition(depth - 1)})"
        word = self._rng.choice((" and ", " or "))
        return f"({self._condition(depth - 1)}{word}{self._condition(depth - 1)})"

    def _atom(self) -> str:
        rng = self._rng
        if self._null_tests and rng.random() < 0.1:
            name = self._name(rng.choice((Type.STR, Type.INT, Type.BOOL, Type.SET)))
            return f"{name} {rng.choice(('is None', 'is not None'))}"
        match rng.choice(list(_COLUMNS.values())):
            case Type.BOOL:
                return self._compared(Type.BOOL, ("==", "!="))
            case Type.SET:
                return f"overlap({self._name(Type.SET)}, {self._other(Type.SET)})"
            case Type.STR:
                return self._of_text(rng.choice(("in", "not in", "prefix", "", "")))
            case type_:
                return self._compared(type_, _ORDER)

    def _of_text(self, how: str) -> str:
        if how == "prefix":
            return f"prefix({self._name(Type.STR)}, {self._other(Type.STR)})"
        if how:
            return f"{self._name(Type.STR)} {how} {self._other(Type.SET)}"
        return self._compared(Type.STR, _ORDER)

    def _compared(self, type_: Type, operators: Sequence[str]) -> str:
        sides = [self._name(type_), self._other(type_)]
        if self._rng.random() < 0.5:
            sides.reverse()
        return f"{sides[0]} {self._rng.choice(operators)} {sides[1]}"

    def _name(self, type_: Type) -> str:
        """An attribute, mostly of the entity, so that something is left to reduce to."""
        return self._rng.choice((*_OF_ENTITY[type_] * 2, *_OF_SUBJECT[type_]))

    def _other(self, type_: Type) -> str:
        how = self._rng.random()
        if how < 0.3:
            return self._rng.choice(_OF_ENTITY[type_])
        if how < 0.7:
            return self._rng.choice(_OF_SUBJECT[type_])
        return _literal(self._rng.choice(_VALUES[type_]))


def _literal(value: Any) -> str:
    if isinstance(value, datetime):
        return repr(value.isoformat())
    return repr(sorted(value)) if isinstance(value, frozenset) else repr(value)


_OF_ENTITY = {
    type_: tuple(f"r.obj.{name}" for name, a in THING.attributes.items() if a.type is type_)
    for type_ in _VALUES
}
_OF_SUBJECT = {
    Type.STR: ("r.sub.id", "r.sub.team"),
    Type.INT: ("r.sub.level",),
    Type.BOOL: ("r.sub.active", "r.sub.admin", "r.sub.trusted"),
    Type.TIME: ("r.env.now", "r.env.now - hours(1)"),
    Type.SET: ("r.sub.groups", "r.sub.marks"),
}
