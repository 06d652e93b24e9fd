"""Types from annotations: names looked up in the sources, aliases followed, variables replaced."""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from domain.signatures.module import Module
from domain.signatures.sources import Found, Sources
from domain.signatures.types import ATOMS, Form, Type, container, union

_MAX_DEPTH = 24
_OPAQUE = frozenset({"Annotated", "Required", "NotRequired", "ReadOnly", "Final", "ClassVar"})
_STANDARD = ("typing.", "collections.")
_SPECIAL: Mapping[str, Type] = {
    "Any": "any",
    "Self": "self",
    "NoReturn": "never",
    "Never": "never",
    "LiteralString": "str",
    "Text": "str",
    "AnyStr": ("unknown", "AnyStr"),
}
_STRUCTURAL_BASES = frozenset({"Protocol", "TypedDict"})


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an annotation stands: its module, and what type variables mean there."""

    module: Module
    variables: Mapping[str, Type] = field(default_factory=dict)

    def within(self, variables: Mapping[str, Type]) -> "Scope":
        """With further variables."""
        return Scope(self.module, {**self.variables, **variables}) if variables else self


class TypeReader:
    """Reads annotations; `ancestors` answers those of a class, and whether that is all of them."""

    def __init__(
        self,
        sources: Sources,
        ancestors: Callable[[Module, ast.ClassDef], tuple[tuple[str, ...], bool]],
    ) -> None:
        self._sources = sources
        self._ancestors = ancestors
        self._classes: dict[int, Type] = {}

    def read(self, node: ast.expr | None, scope: Scope, depth: int = 0) -> Type:
        """The type that an annotation says; None where there is none."""
        if node is None:
            return None
        if depth > _MAX_DEPTH:
            return ("unknown", "a type nested too deeply")
        match node:
            case ast.Constant(value=None):
                return "None"
            case ast.Constant(value=str(text)):
                return self._text(text, scope, depth)
            case ast.Name() | ast.Attribute():
                return self._name(node, scope, depth)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return union([self.read(side, scope, depth + 1) for side in (left, right)])
            case ast.Subscript(value=value, slice=inner):
                members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
                return self._subscript(value, members, scope, depth + 1)
            case _:
                return ("unknown", _words(node))

    def named(self, node: ast.expr, scope: Scope) -> Found:
        """What a dotted name means where it stands."""
        dotted = dotted_name(node)
        if dotted is None:
            return Found("unknown", _words(node))
        return self._sources.meaning(scope.module, dotted)

    def of_class(self, module: Module, node: ast.ClassDef) -> Type:
        """The type of a class in the sources."""
        if id(node) not in self._classes:
            self._classes[id(node)] = ("external", f"{module.name}.{node.name}")  # if it recurs
            self._classes[id(node)] = self._class(module, node)
        return self._classes[id(node)]

    def _class(self, module: Module, node: ast.ClassDef) -> Type:
        name = self.identity(module, node)
        bases = {(dotted_name(base) or "").rpartition(".")[2] for base in _plain(node.bases)}
        if bases & _STRUCTURAL_BASES:
            return ("external", name)
        ancestors, closed = self._ancestors(module, node)
        return ("class", name, ancestors, closed)

    def identity(self, module: Module, node: ast.ClassDef) -> str:
        """The name of a class; of a bundle's own, with what tells it from a namesake elsewhere."""
        name = f"{module.name}.{node.name}"
        if not self._sources.owns(module):
            return name
        return f"./{name}#{sha256(module.text_of(node).encode()).hexdigest()[:12]}"

    def _text(self, text: str, scope: Scope, depth: int) -> Type:
        try:
            return self.read(ast.parse(text.strip(), mode="eval").body, scope, depth + 1)
        except (SyntaxError, ValueError):
            return ("unknown", text[:80])

    def _name(self, node: ast.expr, scope: Scope, depth: int) -> Type:
        if isinstance(node, ast.Name) and node.id in scope.variables:
            return scope.variables[node.id]
        found = self.named(node, scope)
        if not found.sure:
            return ("unknown", found.name)
        match found:
            case Found(kind="builtin", name=name):
                return _builtin(name)
            case Found(kind="external", name=name):
                return _foreign(name)
            case Found(kind="class", module=Module() as module, node=ast.ClassDef() as class_):
                return self.of_class(module, class_)
            case Found(kind="value", module=Module() as module, node=ast.expr() as value):
                return self._value(value, found.name, Scope(module), depth + 1)
            case _:
                return ("unknown", found.name)

    def _value(self, value: ast.expr, name: str, scope: Scope, depth: int) -> Type:
        """What a name bound by assignment means in an annotation: an alias, a new type."""
        if not isinstance(value, ast.Call):
            return self.read(value, scope, depth)
        maker = self.named(value.func, scope)
        if maker.name == "typing.NewType" and len(value.args) == 2:
            base = self.read(value.args[1], scope, depth)
            digest = sha256(scope.module.name.encode()).hexdigest()[:12]
            return ("newtype", f"{name}#{digest}", base)
        if maker.name == "typing.TypeVar":
            return self._variable(value, name, scope, depth)
        return ("unknown", name)

    def _variable(self, call: ast.Call, name: str, scope: Scope, depth: int) -> Type:
        short = name.rpartition(".")[2]
        if len(call.args) > 1:
            return ("unknown", short)
        bound = [k.value for k in call.keywords if k.arg == "bound"]
        return ("typevar", short, self.read(bound[0], scope, depth) if bound else "object")

    def _subscript(self, head: ast.expr, members: list[ast.expr], scope: Scope, depth: int) -> Type:
        found = self.named(head, scope)
        short = found.name.rpartition(".")[2]
        if found.kind == "class" and isinstance(found.node, ast.ClassDef) and found.module:
            inner = self.of_class(found.module, found.node)
            return ("of", inner, *(self.read(each, scope, depth) for each in members))
        if not found.sure or found.kind not in ("builtin", "external", "unknown"):
            return ("unknown", _words(head))
        if found.kind == "external" and not found.name.startswith(_STANDARD):
            return ("external", found.name)
        if short in _OPAQUE:
            return self.read(members[0], scope, depth)
        special = self._special(short, members, scope, depth)
        return special if special is not None else self._generic(found, members, scope, depth)

    def _special(self, name: str, members: list[ast.expr], scope: Scope, depth: int) -> Type:
        match name:
            case "Optional":
                return union([self.read(members[0], scope, depth), "None"])
            case "Union":
                return union([self.read(each, scope, depth) for each in members])
            case "Literal":
                return _literal(members)
            case "Callable" if len(members) == 2:
                return self._callable(members[0], members[1], scope, depth)
            case "tuple" | "Tuple":
                return self._tuple(members, scope, depth)
            case _:
                return None

    def _generic(self, found: Found, members: list[ast.expr], scope: Scope, depth: int) -> Type:
        form = container(found.name)
        arguments = tuple(self.read(each, scope, depth) for each in members)
        if form is not None:
            return (form, *arguments)
        return ("unknown", found.name) if found.kind == "unknown" else ("external", found.name)

    def _tuple(self, members: list[ast.expr], scope: Scope, depth: int) -> Form:
        match members:
            case [ast.Tuple(elts=[])]:
                return ("tuple",)
            case [item, ast.Constant(value=value)] if value is ...:
                return ("tuple*", self.read(item, scope, depth))
            case _:
                if any(isinstance(each, ast.Starred) for each in members):
                    return ("unknown", "tuple")
                return ("tuple", *(self.read(each, scope, depth) for each in members))

    def _callable(self, parameters: ast.expr, result: ast.expr, scope: Scope, depth: int) -> Type:
        given = self.read(result, scope, depth)
        match parameters:
            case ast.List(elts=elements):
                taken = tuple(self.read(each, scope, depth) for each in elements)
                return ("callable", taken, given)
            case ast.Constant(value=value) if value is ...:
                return ("callable", None, given)
            case _:
                return ("unknown", "Callable")


def dotted_name(node: ast.AST) -> str | None:
    """`a.b.C` of names and attributes; None for any other expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def _plain(nodes: list[ast.expr]) -> list[ast.expr]:
    return [node.value if isinstance(node, ast.Subscript) else node for node in nodes]


def _builtin(name: str) -> Type:
    if name in ATOMS or name == "object":
        return name
    form = container(name)
    if form == "tuple":
        return ("tuple*", "any")
    return (form,) if form is not None else ("external", name)


def _foreign(name: str) -> Type:
    special = name.removeprefix("typing.")
    if name.startswith("typing.") and special in _SPECIAL:
        return _SPECIAL[special]
    form = container(name)
    if form == "tuple":
        return ("tuple*", "any")
    if form is not None:
        return (form,)
    if name in ("typing.Callable", "collections.abc.Callable"):
        return ("callable", None, "any")
    return ("unknown", name) if name.startswith("typing.") else ("external", name)


def _literal(members: list[ast.expr]) -> Type:
    values = []
    for member in members:
        try:
            value = ast.literal_eval(member)
        except (ValueError, TypeError, MemoryError, RecursionError):
            return ("unknown", "Literal")
        values.append(f"{'None' if value is None else type(value).__name__}:{value!r}")
    return ("literal", *dict.fromkeys(values))


def _words(node: ast.AST) -> str:
    return ast.unparse(node)[:80]
