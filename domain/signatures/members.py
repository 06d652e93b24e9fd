"""What instances of a class have: methods and attributes, each as the lineage leaves it."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.signatures.functions import AnyFunction, Function, FunctionReader
from domain.signatures.lineage import Line, Lineage, LineageReader, Unseen
from domain.signatures.module import Module
from domain.signatures.records import RecordReader
from domain.signatures.types import Type

_ASSIGNED = re.compile(
    r"(\bself\s*)?\.\s*(\w+)\s*(?:([,)\]:]|\bin\b)|(?::[^=\n]*)?[-+*/|&^%@<>]*=(?!=))"
)
_HOOKS = frozenset({"__init_subclass__", "__new__", "__class_getitem__", "__set_name__"})


@dataclass(frozen=True, slots=True)
class Attribute:
    """Data on an instance."""

    type: Type
    writable: bool = True


@dataclass(slots=True)
class Members:
    """Methods and attributes by name.

    `open` says why there may be more of them, `doubts` why these may be others than they seem.
    """

    methods: dict[str, Function] = field(default_factory=dict)
    attributes: dict[str, Attribute] = field(default_factory=dict)
    init: tuple[Line, AnyFunction] | None = None
    open: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    abstract: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Without what is private."""
        return {
            "methods": {
                name: each.as_json() for name, each in self.methods.items() if is_public(name)
            },
            "attributes": {
                name: {"type": each.type, "writable": each.writable}
                for name, each in self.attributes.items()
                if is_public(name)
            },
        }


def is_public(name: str) -> bool:
    """Whether others may use a member: it starts with no underscore, or Python gave it meaning."""
    special = name.startswith("__") and name.endswith("__") and name not in _HOOKS
    return special or not name.startswith("_")


class MemberReader:
    """Reads the members of classes."""

    def __init__(self, lineages: LineageReader, records: RecordReader) -> None:
        self.lineages = lineages
        self.functions = FunctionReader(lineages.types, records.unpacked)

    def read(
        self,
        module: Module,
        node: ast.ClassDef,
        *,
        of_role: bool = False,
        variables: Mapping[str, Type] | None = None,
    ) -> Members:
        """What instances of a class have; of a role, what it asks for, bodies aside.

        `variables` say what the type variables of the class itself mean.
        """
        lineage = self.lineages.read(module, node)
        members = Members(doubts=[*lineage.doubts])
        shadows: list[str] = []
        for line in lineage.lines:
            if isinstance(line, Unseen):
                shadows.append(f"`{line.name}`, whose source is not there, may have its own")
            else:
                meant = line.meaning(variables) if variables and line.node is node else line
                self._take(meant, members, shadows, of_role=of_role)
        members.open += [f"`{name}` is a base whose source is not there" for name in lineage.unseen]
        if not of_role:
            _doubt_shadowed(lineage, members)
        return members

    def _take(self, line: Line, members: Members, shadows: list[str], *, of_role: bool) -> None:
        """Add what a class has that none before it in the lineage has."""
        body = _Body(self.functions, line, of_role=of_role)
        taken = {*members.methods, *members.attributes}
        if members.init is None and body.init is not None and not line.of_sdk:
            members.init = (line, body.init)
        for name, function in body.methods.items():
            if name not in taken:
                members.methods[name] = function.doubted(*shadows)
        for name, attribute in body.attributes.items():
            if name not in taken:
                members.attributes[name] = attribute
        if not of_role:
            members.abstract += [n for n in body.abstract if n not in {*taken, *members.abstract}]
        members.open += body.open
        members.doubts += body.doubts


class _Body:
    """The body of one class."""

    def __init__(self, functions: FunctionReader, line: Line, *, of_role: bool) -> None:
        self.methods: dict[str, Function] = {}
        self.attributes: dict[str, Attribute] = {}
        self.init: AnyFunction | None = None
        self.abstract: list[str] = []
        self.open: list[str] = []
        self.doubts: list[str] = []
        self._functions = functions
        self._scope = line.scope
        self._of_role = of_role
        self._of_protocol = is_protocol(line.node)
        self._overloads: dict[str, list[Function]] = {}
        for statement in line.node.body:
            self._statement(statement)
        self._from_init()
        if not line.of_sdk and not of_role:
            self._doubt_hooks(line.node.name)

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(statement, sure=True)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                self._declared(name, annotation)
            case ast.Expr() | ast.Pass():
                pass
            case _:
                self._block(statement)

    def _block(self, statement: ast.stmt) -> None:
        """What is bound in some cases only, or to something that is not followed."""
        waiting: list[ast.AST] = [statement]
        while waiting:
            each = waiting.pop()
            match each:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._function(each, sure=False)
                    continue
                case ast.ClassDef(name=name) | ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                    self._assigned(name)
                case ast.alias(name=name, asname=other):
                    self._assigned(other or name.partition(".")[0])
                case _:
                    pass
            waiting += [] if isinstance(each, ast.ClassDef) else ast.iter_child_nodes(each)

    def _function(self, node: AnyFunction, *, sure: bool) -> None:
        if node.name == "__init__":
            self.init = node
            return
        function = self._functions.read(node, self._scope)
        if self._functions.is_overload(node, self._scope):
            self._overloads.setdefault(node.name, []).append(function)
            if self._of_role:
                self.methods[node.name] = _overloaded(self._overloads[node.name])
            else:
                self.methods[node.name] = function.doubted(f"`{node.name}` has overloads only")
            return
        if self._of_role and node.name in self._overloads:
            return  # the implementation is nobody's business
        if self._is_empty(node):
            return
        if not sure:
            function = function.doubted(f"`{node.name}` is defined in some cases only")
        self.attributes.pop(node.name, None)
        self.methods[node.name] = function

    def _is_empty(self, node: AnyFunction) -> bool:
        """Whether it only says that somebody else must write it."""
        if self._of_role:
            return False
        if any(ast.unparse(each).endswith("abstractmethod") for each in node.decorator_list):
            self.abstract.append(node.name)
            return True
        return _raises_only(node) or (self._of_protocol and _is_stub(node))

    def _declared(self, name: str, annotation: ast.expr) -> None:
        if "ClassVar" in ast.unparse(annotation) and self._of_role:
            self.attributes[name] = Attribute(("unknown", "ClassVar"))
            return
        if name in self.methods:
            self._assigned(name)
            return
        self.attributes[name] = Attribute(self._functions.types.read(annotation, self._scope))

    def _assigned(self, name: str) -> None:
        """Bound to something whose type nobody wrote down."""
        known = self.methods.pop(name, None)
        if known is not None or name not in self.attributes:
            self.attributes[name] = Attribute(("unknown", "assigned"))

    def _from_init(self) -> None:
        """Attributes whose type `__init__` declares."""
        node = self.init
        if node is None:
            return
        first = [*node.args.posonlyargs, *node.args.args][:1]
        for statement in node.body:
            match statement:
                case ast.AnnAssign(
                    target=ast.Attribute(value=ast.Name(id=owner), attr=name), annotation=said
                ) if first and owner == first[0].arg:
                    type_ = self._functions.types.read(said, self._scope)
                    self.attributes.setdefault(name, Attribute(type_))

    def _doubt_hooks(self, name: str) -> None:
        hooks = ("__new__", "__getattribute__", "__init_subclass__")
        for hook in hooks:
            if hook in self.methods or hook in self.attributes:
                self.doubts.append(f"`{name}` has `{hook}`, which can change anything")
        if "__getattr__" in self.methods or "__getattr__" in self.attributes:
            self.open.append(f"`{name}` has `__getattr__`, which can answer for more")


def is_protocol(node: ast.ClassDef) -> bool:
    """Whether the class is a `Protocol` itself."""
    plain = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
    return any(ast.unparse(base).rpartition(".")[2] == "Protocol" for base in plain)


def _overloaded(ways: list[Function]) -> Function:
    first = ways[0]
    return Function(first.parameters, first.returns, first.how, first.asynchronous, (), tuple(ways))


def _doubt_shadowed(lineage: Lineage, members: Members) -> None:
    """Instances can have attributes of their own in place of methods, or in addition."""
    for line in lineage.lines:
        if not isinstance(line, Line) or line.of_sdk:
            continue
        text = line.module.text_of(line.node)
        for found in _ASSIGNED.finditer(text):
            own, name, perhaps = found.groups()
            if name in members.methods:
                if _stores(line.node, name):
                    doubt = f"`{name}` is assigned on instances"
                    members.methods[name] = members.methods[name].doubted(doubt)
            elif own and perhaps in (None, ","):
                members.attributes.setdefault(name, Attribute(("unknown", "assigned")))


def _stores(node: ast.ClassDef, name: str) -> bool:
    return any(
        isinstance(each, ast.Attribute) and each.attr == name and not isinstance(each.ctx, ast.Load)
        for each in ast.walk(node)
    )


def _body(node: AnyFunction) -> list[ast.stmt]:
    """The statements without the docstring."""
    first = node.body[0]
    said = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return node.body[1:] if said and isinstance(first.value.value, str) else node.body  # type: ignore[attr-defined]


def _is_stub(node: AnyFunction) -> bool:
    return all(
        isinstance(each, ast.Pass)
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in _body(node)
    )


def _raises_only(node: AnyFunction) -> bool:
    match _body(node):
        case [ast.Raise(exc=ast.Name(id="NotImplementedError"))]:
            return True
        case [ast.Raise(exc=ast.Call(func=ast.Name(id="NotImplementedError")))]:
            return True
        case _:
            return False
