"""Which attribute a dotted name means: `r.obj.owner` in policies, `metrics.loss.min` in filters."""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from domain.plain_data import holds_text
from policies.condition import Ref, Root
from policies.schema import MOMENT, Attribute, JsonAny, JsonKeys, JsonPath, Metric, Schema, Type

METRIC_STATS = {"last": "last", "min": "low", "max": "high"}


@dataclass(frozen=True, slots=True)
class Untyped:
    """A value of a JSON map: its type is that of the literal it is compared with."""

    name: str
    source: JsonPath

    def typed(self, type_: Type) -> Ref:
        """As an attribute of a type."""
        return Ref("obj", self.name, Attribute(type_, self.source, nullable=True))

    @property
    def untyped(self) -> Ref:
        """As it is, for a test of absence."""
        source = JsonAny(self.source.column, self.source.path)
        return Ref("obj", self.name, Attribute(Type.STR, source, nullable=True))


class UnknownName(Exception):
    """A name that the schema does not have; the message says what comes near."""


class Names(Protocol):
    """Resolves the dotted names of one dialect."""

    dialect: str

    def resolve(self, node: ast.expr) -> Ref | Untyped:
        """The attribute. Raises UnknownName."""


class PolicyNames:
    """Names of policies: attributes of the subject, the entity and the moment."""

    dialect = "policy"

    def __init__(self, obj: Schema, sub: Schema) -> None:
        self._roots: dict[str, tuple[Root, Mapping[str, Attribute]]] = {
            "sub": ("sub", sub.attributes),
            "obj": ("obj", obj.attributes),
            "env": ("env", MOMENT.attributes),
        }

    def resolve(self, node: ast.expr) -> Ref | Untyped:
        """`r.sub.x`, `r.obj.x` or `r.env.x`."""
        parts = path_of(node)
        shown = ".".join(parts)
        if len(parts) != 3 or parts[0] != "r" or parts[1] not in self._roots:
            raise UnknownName(f"`{shown}` is none of r.sub.…, r.obj.… and r.env.…")
        root, attributes = self._roots[parts[1]]
        if parts[2] not in attributes:
            prefix = f"r.{parts[1]}."
            raise UnknownName(unknown(shown, [prefix + name for name in attributes]))
        return Ref(root, parts[2], attributes[parts[2]])


class FilterNames:
    """Names of filters: attributes of the entity, and what lies in its maps."""

    dialect = "filter"

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._attributes = {**schema.attributes, **schema.filters}

    def resolve(self, node: ast.expr) -> Ref | Untyped:
        """`owner`, `now`, `tags`, `tags.team`, `params['lr']`, `metrics.loss.min`."""
        parts = path_of(node)
        first, rest = parts[0], parts[1:]
        if first == "now" and not rest:
            return Ref("env", "now", MOMENT.attributes["now"])
        if first in self._schema.maps:
            return self._in_map(first, rest)
        if rest or first not in self._attributes:
            known = [*self._attributes, *(f"{name}.<key>" for name in self._schema.maps)]
            raise UnknownName(unknown(".".join(parts), known))
        return Ref("obj", first, self._attributes[first])

    def _in_map(self, name: str, keys: list[str]) -> Ref | Untyped:
        column = self._schema.maps[name]
        if not column:
            return _metric(keys)
        if not keys:
            return Ref("obj", name, Attribute(Type.SET, JsonKeys(column)))
        shown = ".".join([name, *keys])
        if name == "tags" and len(keys) == 1:
            return Ref("obj", shown, Attribute(Type.STR, JsonPath(column, tuple(keys)), True))
        return Untyped(shown, JsonPath(column, tuple(keys)))


def _metric(keys: list[str]) -> Ref:
    """`metrics.<key>` is the last value; a key with dots or slashes goes in brackets."""
    stat = METRIC_STATS.get(keys[-1]) if len(keys) > 1 else None
    key = ".".join(keys[:-1] if stat else keys)
    if not key:
        raise UnknownName("say which metric: metrics.<key>, metrics.<key>.min or metrics['<key>']")
    attribute = Attribute(Type.FLOAT, Metric(key, stat or "last"), nullable=True)
    return Ref("obj", ".".join(["metrics", *keys]), attribute)


def path_of(node: ast.expr) -> list[str]:
    """The parts of a dotted name, brackets with text included. Raises UnknownName."""
    parts: list[str] = []
    while True:
        match node:
            case ast.Attribute(value=inner, attr=name):
                parts.append(name)
                node = inner
            case ast.Subscript(value=inner, slice=ast.Constant(value=str() as name)):
                if not holds_text(name):
                    raise UnknownName("a key contains NUL or half a character")
                parts.append(name)
                node = inner
            case ast.Name(id=name):
                return [name, *reversed(parts)]
            case _:
                raise UnknownName("this is no attribute")


def unknown(name: str, known: Iterable[str]) -> str:
    """That a name is unknown, with the nearest known one or all of them."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(names)}"
    return f"`{name}` is unknown; {hint}"
