"""JSON Schema of annotations: what a form asks, and what is refused before anything is queued."""

import ast
from dataclasses import dataclass
from typing import Any

from domain.signatures.constraints import UNKNOWN, constrained, literal
from domain.signatures.functions import KEYWORDS, POSITIONAL, POSITIONALS, Parameter
from domain.signatures.module import Module
from domain.signatures.reading import Scope, TypeReader, dotted_name
from domain.signatures.records import Field, RecordReader
from domain.signatures.sources import Found

Schema = dict[str, Any]

SECRET: Schema = {"type": "string", "format": "secret", "writeOnly": True}
_MAX_DEPTH = 12
_PLAIN: dict[str, Schema] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "list": {"type": "array"},
    "dict": {"type": "object"},
    "tuple": {"type": "array"},
    "set": {"type": "array", "uniqueItems": True},
    "frozenset": {"type": "array", "uniqueItems": True},
}
_FOREIGN: dict[str, Schema] = {
    "typing.List": {"type": "array"},
    "typing.Dict": {"type": "object"},
    "pydantic.PositiveInt": {"type": "integer", "exclusiveMinimum": 0},
    "pydantic.NonNegativeInt": {"type": "integer", "minimum": 0},
    "pydantic.PositiveFloat": {"type": "number", "exclusiveMinimum": 0},
    "pydantic.NonNegativeFloat": {"type": "number", "minimum": 0},
    "pydantic.SecretStr": SECRET,
    "hansard.Secret": SECRET,
}
_ARRAYS = frozenset({"list", "List", "Sequence", "Iterable", "Collection", "MutableSequence"})
_SETS = frozenset({"set", "Set", "frozenset", "FrozenSet", "AbstractSet", "MutableSet"})
_OBJECTS = frozenset({"dict", "Dict", "Mapping", "MutableMapping"})
_WRAPPERS = frozenset({"Required", "NotRequired", "ReadOnly", "Final", "ClassVar", "InitVar"})
_STANDARD = ("typing.", "collections.", "dataclasses.")


@dataclass(frozen=True, slots=True)
class Asked:
    """A schema, and whether all of the annotation was read: any JSON value that it lets through
    is one that the annotation means."""

    schema: Schema
    whole: bool


class SchemaReader:
    """Reads schemas with a reader of types and one of classes with fields."""

    def __init__(self, types: TypeReader, records: RecordReader) -> None:
        self._types = types
        self._records = records
        self._gaps = 0
        self._open: list[int] = []

    def read(self, annotation: ast.expr | None, scope: Scope) -> Asked:
        """The schema of an annotation; what cannot be read of it allows anything."""
        before = self._gaps
        schema = self._schema(annotation, scope, 0)
        return Asked(schema, self._gaps == before)

    def parameter(self, parameter: Parameter, scope: Scope, help_: str | None) -> Asked:
        """The schema of one parameter, with its default and what is said of it."""
        asked = self.read(parameter.annotation, scope)
        schema = asked.schema
        if help_ and "description" not in schema:
            schema = {**schema, "description": help_}
        if parameter.default is None:
            return Asked(schema, asked.whole)
        return Asked(self._with_default(schema, parameter.default, scope), asked.whole)

    def form(
        self, parameters: tuple[Parameter, ...], scope: Scope, help_: dict[str, str]
    ) -> Schema:
        """An object schema with one property per parameter; those without default are required."""
        properties: dict[str, Schema] = {}
        required: list[str] = []
        for each in parameters:
            if each.kind in (POSITIONALS, KEYWORDS) or (
                each.kind == POSITIONAL and not each.required
            ):
                continue
            properties[each.name] = self.parameter(each, scope, help_.get(each.name)).schema
            required += [each.name] if each.required else []
        return {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": any(each.kind == KEYWORDS for each in parameters),
        }

    def _gap(self) -> Schema:
        self._gaps += 1
        return {}

    def _schema(self, node: ast.expr | None, scope: Scope, depth: int) -> Schema:
        match node:
            case _ if depth > _MAX_DEPTH:
                return self._gap()
            case ast.Constant(value=None):
                return {"type": "null"}
            case ast.Constant(value=str(text)):
                return self._text(text, scope, depth)
            case ast.Name() | ast.Attribute():
                return self._named(node, scope, depth)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return _any_of([self._schema(side, scope, depth + 1) for side in (left, right)])
            case ast.Subscript(value=value, slice=inner):
                members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
                return self._generic(value, members, scope, depth + 1)
            case _:
                return self._gap()

    def _text(self, text: str, scope: Scope, depth: int) -> Schema:
        try:
            return self._schema(ast.parse(text.strip(), mode="eval").body, scope, depth + 1)
        except (SyntaxError, ValueError):
            return self._gap()

    def _named(self, node: ast.expr, scope: Scope, depth: int) -> Schema:
        found = self._types.named(node, scope)
        if not found.sure:
            return self._gap()
        match found:
            case Found(kind="builtin", name=name) if name in _PLAIN:
                return dict(_PLAIN[name])
            case Found(kind="external" | "unknown", name=name) if name in _FOREIGN:
                return dict(_FOREIGN[name])
            case Found(kind="class", name=name) if name.startswith("hansard.") and name.endswith(
                ".Secret"
            ):
                return dict(SECRET)
            case Found(kind="class", module=Module() as module, node=ast.ClassDef() as class_):
                return self._class(module, class_, depth)
            case Found(kind="value", module=Module() as module, node=ast.expr() as value):
                return self._value(value, Scope(module), depth)
            case _:
                return self._gap()

    def _value(self, value: ast.expr, scope: Scope, depth: int) -> Schema:
        if isinstance(value, ast.Call):
            maker = self._types.named(value.func, scope).name
            if maker != "typing.NewType" or len(value.args) != 2:
                return self._gap()
            value = value.args[1]
        return self._schema(value, scope, depth + 1)

    def _class(self, module: Module, node: ast.ClassDef, depth: int) -> Schema:
        """The schema of an enum, or of a class whose fields are declared."""
        if id(node) in self._open:
            return self._gap()
        values = self._records.choices(module, node)
        if values is not None:
            return {"enum": values, "title": node.name}
        fields = self._records.fields(module, node)
        if fields is None:
            return self._gap()
        self._open.append(id(node))
        properties = {name: self._field(each, depth) for name, each in fields.items()}
        self._open.pop()
        return {
            "type": "object",
            "title": node.name,
            "properties": properties,
            "required": [name for name, each in fields.items() if each.required],
            "additionalProperties": False,
        }

    def _field(self, field: Field, depth: int) -> Schema:
        schema = self._schema(field.annotation, field.scope, depth + 1)
        for said in field.said:
            schema = constrained(schema, said)
        if field.help and "description" not in schema:
            schema = {**schema, "description": field.help}
        if field.default is None:
            return schema
        return self._with_default(schema, field.default, field.scope)

    def _with_default(self, schema: Schema, default: ast.expr, scope: Scope) -> Schema:
        value = literal(default)
        if value is UNKNOWN and isinstance(default, ast.Attribute):
            value = self._member(default, scope)
        if value is UNKNOWN or schema.get("format") == "secret":
            return schema
        return {**schema, "default": value}

    def _member(self, default: ast.Attribute, scope: Scope) -> Any:
        """The value of a default like `Mode.FAST`."""
        if dotted_name(default.value) is None:
            return UNKNOWN
        found = self._types.named(default.value, scope)
        if isinstance(found.node, ast.ClassDef) and found.module is not None:
            return self._records.member(found.module, found.node, default.attr)
        return UNKNOWN

    def _generic(self, head: ast.expr, members: list[ast.expr], scope: Scope, depth: int) -> Schema:
        found = self._types.named(head, scope)
        name = found.name.rpartition(".")[2]
        foreign = found.kind == "external" and not found.name.startswith(_STANDARD)
        if not found.sure or found.kind in ("class", "value", "function") or foreign:
            return self._gap()
        if name == "Annotated" and len(members) > 1:
            schema = self._schema(members[0], scope, depth)
            for said in members[1:]:
                schema = constrained(schema, said)
            return schema
        if name in ("tuple", "Tuple"):
            return self._tuple(members, scope, depth)
        if name == "Literal":
            values = [literal(member) for member in members]
            return self._gap() if UNKNOWN in values else {"enum": values}
        inner = [self._schema(member, scope, depth) for member in members]
        return self._container(name, members, inner)

    def _container(self, name: str, members: list[ast.expr], inner: list[Schema]) -> Schema:
        match name:
            case _ if name in _ARRAYS:
                return {"type": "array", "items": inner[0]}
            case _ if name in _SETS:
                return {"type": "array", "items": inner[0], "uniqueItems": True}
            case _ if name in _OBJECTS and len(inner) == 2:
                if inner[0] != {"type": "string"}:
                    self._gaps += 1  # keys of JSON objects are text
                return {"type": "object", "additionalProperties": inner[1]}
            case "Optional":
                return _any_of([inner[0], {"type": "null"}])
            case "Union":
                return _any_of(inner)
            case _ if name in _WRAPPERS:
                return inner[0]
            case _:
                return self._gap()

    def _tuple(self, members: list[ast.expr], scope: Scope, depth: int) -> Schema:
        match members:
            case [item, ast.Constant(value=value)] if value is ...:
                return {"type": "array", "items": self._schema(item, scope, depth)}
            case _:
                items = [self._schema(member, scope, depth) for member in members]
                size = {"minItems": len(items), "maxItems": len(items)}
                return {"type": "array", "prefixItems": items, **size}


def _any_of(schemas: list[Schema]) -> Schema:
    flat = [part for each in schemas for part in each.get("anyOf", [each])]
    return {"anyOf": flat}
