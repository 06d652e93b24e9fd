"""The classes that an instance's members come from, in Python's own order."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.signatures.module import Module
from domain.signatures.reading import Scope, TypeReader, dotted_name
from domain.signatures.sources import Sources, patched_elsewhere
from domain.signatures.types import ATOMS, Type

_MAX_CLASSES = 64
_HARMLESS = frozenset(
    {"object", "abc.ABC", "typing.Generic", "typing.Protocol", "typing.NamedTuple"}
    | {"typing.TypedDict", "Generic", "Protocol"}
)
"""Bases without methods that a role could mean."""
_HARMLESS_DECORATORS = frozenset(
    {
        *("dataclasses.dataclass", "typing.final", "typing.runtime_checkable", "enum.unique"),
        *("functools.total_ordering", "runtime_checkable", "final"),
    }
)
_SDK = "hansard."


@dataclass(frozen=True, slots=True)
class Line:
    """One class of a lineage; `variables` are what its type variables mean in it."""

    module: Module
    node: ast.ClassDef
    variables: Mapping[str, Type] = field(default_factory=dict)

    @property
    def scope(self) -> Scope:
        """Where its annotations stand."""
        return Scope(self.module, self.variables)

    def meaning(self, variables: Mapping[str, Type]) -> "Line":
        """The same with its type variables replaced."""
        return Line(self.module, self.node, variables)

    @property
    def of_sdk(self) -> bool:
        """Whether Hansard ships it."""
        return self.module.name.startswith(_SDK)


@dataclass(frozen=True, slots=True)
class Unseen:
    """A base class whose source is not there."""

    name: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """A class first, then its bases; `doubts` say why members may be others than seen."""

    lines: tuple[Line | Unseen, ...]
    doubts: tuple[str, ...] = ()

    @property
    def unseen(self) -> list[str]:
        """The bases whose source is not there."""
        return [each.name for each in self.lines if isinstance(each, Unseen)]


class LineageReader:
    """Reads lineages with a reader of types, which needs ancestors in turn."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.types = TypeReader(sources, self.ancestors)
        self._known: dict[int, Lineage] = {}
        self._open: set[int] = set()

    def read(self, module: Module, node: ast.ClassDef) -> Lineage:
        """The lineage of a class."""
        if id(node) in self._known:
            return self._known[id(node)]
        if id(node) in self._open:  # it derives from itself
            return Lineage((), (f"`{node.name}` derives from itself",))
        self._open.add(id(node))
        found = self._read(module, node)
        self._open.discard(id(node))
        self._known[id(node)] = found
        return found

    def ancestors(self, module: Module, node: ast.ClassDef) -> tuple[tuple[str, ...], bool]:
        """The names of all ancestors, and whether there can be no others."""
        lineage = self.read(module, node)
        names = [
            self.types.identity(each.module, each.node) if isinstance(each, Line) else each.name
            for each in lineage.lines[1:]
        ]
        closed = not lineage.doubts and all(name in ATOMS for name in lineage.unseen)
        return tuple(names), closed

    def _read(self, module: Module, node: ast.ClassDef) -> Lineage:
        doubts = [*self._doubts(module, node)]
        bases = []
        for base in node.bases:
            lines, more = self._base(module, base)
            doubts += more
            if lines:
                bases.append(lines)
        own = Line(module, node, self._variables(module, node))
        merged = _merged([*bases, [each[0] for each in bases]])
        if merged is None or len(merged) > _MAX_CLASSES:
            return Lineage((own,), (*doubts, f"the bases of `{node.name}` have no order"))
        return Lineage((own, *merged), tuple(dict.fromkeys(doubts)))

    def _base(self, module: Module, base: ast.expr) -> tuple[list[Line | Unseen], list[str]]:
        head = base.value if isinstance(base, ast.Subscript) else base
        found = self.types.named(head, Scope(module))
        if found.kind == "class" and isinstance(found.node, ast.ClassDef) and found.module:
            lineage = self.read(found.module, found.node)
            doubts = [*lineage.doubts]
            if not found.sure:
                doubts.append(f"`{found.name}` is defined in more than one way")
            return self._bound(list(lineage.lines), base, module), doubts
        if found.name in _HARMLESS or found.name.startswith(_SDK):
            return [], []
        if head is not base and found.name.startswith("typing."):
            return [], []
        return [Unseen(found.name)], []

    def _bound(
        self, lines: list[Line | Unseen], base: ast.expr, module: Module
    ) -> list[Line | Unseen]:
        """The lines of a base `Box[int]`, with what its type variables mean by that."""
        if not lines or not isinstance(lines[0], Line) or not isinstance(base, ast.Subscript):
            return lines
        first = lines[0]
        inner = base.slice
        members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        names = [*first.variables]
        if len(names) != len(members):
            return lines
        given = [self.types.read(each, Scope(module)) for each in members]
        meant = {
            name: ("unknown", name) if _is_variable(type_) else type_
            for name, type_ in zip(names, given, strict=True)
        }
        return [Line(first.module, first.node, meant), *lines[1:]]

    def _variables(self, module: Module, node: ast.ClassDef) -> dict[str, Type]:
        """The type variables of a class in order, each unknown until somebody says what it is."""
        names = [each.name for each in getattr(node, "type_params", [])]
        for base in node.bases:
            if isinstance(base, ast.Subscript):
                head = (dotted_name(base.value) or "").rpartition(".")[2]
                inner = base.slice
                members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
                found = [each.id for each in members if isinstance(each, ast.Name)]
                if head in ("Generic", "Protocol"):
                    return {name: ("unknown", name) for name in found}
                names += [name for name in found if self._names_variable(module, name)]
        return {name: ("unknown", name) for name in names}

    def _names_variable(self, module: Module, name: str) -> bool:
        read = self.types.read(ast.Name(id=name), Scope(module))
        return _is_variable(read)

    def _doubts(self, module: Module, node: ast.ClassDef) -> list[str]:
        """Why members of this class may be others than its body says."""
        if module.name.startswith(_SDK):
            return []
        found = [
            f"class `{node.name}` is decorated by `{ast.unparse(each)[:80]}`"
            for each in node.decorator_list
            if self._changes(each, module)
        ]
        if any(keyword.arg == "metaclass" for keyword in node.keywords):
            meta = [self.types.named(k.value, Scope(module)).name for k in node.keywords]
            if any(name != "abc.ABCMeta" for name in meta):
                found.append(f"class `{node.name}` has a metaclass")
        if module.dynamic:
            found.append(module.dynamic)
        if node.name in module.patched:
            found.append(f"attributes of `{node.name}` are assigned in module `{module.name}`")
        elif where := patched_elsewhere(self.sources, node.name):
            found.append(f"attributes of `{node.name}` seem to be assigned in `{where}`")
        return found

    def _changes(self, decorator: ast.expr, module: Module) -> bool:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        found = self.types.named(target, Scope(module))
        return not (found.sure and found.name in _HARMLESS_DECORATORS and found.kind != "class")


def _is_variable(type_: Type) -> bool:
    return isinstance(type_, tuple) and type_[0] == "typevar"


def _merged(sequences: list[list[Line | Unseen]]) -> list[Line | Unseen] | None:
    """Python's order of bases (C3); None where there is none."""
    sequences = [list(each) for each in sequences if each]
    found: list[Line | Unseen] = []
    while sequences:
        head = _next_head(sequences)
        if head is None:
            return None
        found.append(head)
        key = _key(head)
        sequences = [[e for e in each if _key(e) != key] for each in sequences]
        sequences = [each for each in sequences if each]
    return found


def _next_head(sequences: list[list[Line | Unseen]]) -> Line | Unseen | None:
    for each in sequences:
        key = _key(each[0])
        if not any(key == _key(other) for rest in sequences for other in rest[1:]):
            return each[0]
    return None


def _key(line: Line | Unseen) -> object:
    return id(line.node) if isinstance(line, Line) else line.name
