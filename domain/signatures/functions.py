"""A function as a caller sees it: parameters, result, and what its decorators leave of that."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from domain.signatures.reading import Scope, TypeReader
from domain.signatures.sources import Found
from domain.signatures.types import Type, thaw

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef

POSITIONAL, NAMED, KEYWORD, POSITIONALS, KEYWORDS = (
    *("positional", "named", "keyword"),
    *("positionals", "keywords"),
)

_BINDERS = {"staticmethod": "static", "classmethod": "class", "property": "property"}
_BINDERS |= {"functools.cached_property": "property", "abc.abstractproperty": "property"}
_NEUTRAL = frozenset(
    {
        *("abc.abstractmethod", "typing.override", "typing.final", "typing.no_type_check"),
        *("functools.cache", "functools.lru_cache", "warnings.deprecated", "typing.deprecated"),
        *("torch.no_grad", "torch.inference_mode", "torch.enable_grad"),
        *("torch.autograd.no_grad", "torch.jit.ignore", "torch.jit.export"),
    }
)
"""Decorators that change nothing of how a function is called."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `annotation` and `default` are there while the source is."""

    name: str
    kind: str
    required: bool
    type: Type
    annotation: ast.expr | None = field(default=None, compare=False, repr=False)
    default: ast.expr | None = field(default=None, compare=False, repr=False)
    schema: dict[str, Any] | None = field(default=None, compare=False, repr=False)
    """What a form asks for it, if it can."""


@dataclass(frozen=True, slots=True)
class Function:
    """A method without `self`. `unchecked` says in words why it may be something else."""

    parameters: tuple[Parameter, ...]
    returns: Type
    how: str = "method"  # or static, class, property
    asynchronous: bool = False
    unchecked: tuple[str, ...] = ()
    overloads: tuple["Function", ...] = ()
    """Of a role's method: each way to call it."""
    scope: Scope | None = field(default=None, compare=False, repr=False)
    doc: str | None = field(default=None, compare=False, repr=False)
    positional: tuple[Parameter, ...] = field(init=False, compare=False, repr=False)
    """Those that may be given by position, in order."""
    by_keyword: tuple[Parameter, ...] = field(init=False, compare=False, repr=False)
    """Those that must be given by name."""
    named: dict[str, Parameter] = field(init=False, compare=False, repr=False)
    """Those that may be given by name."""
    rest: Parameter | None = field(init=False, compare=False, repr=False)
    keywords: Parameter | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        by_kind: dict[str, list[Parameter]] = {}
        for each in self.parameters:
            by_kind.setdefault(each.kind, []).append(each)
        positional = (*by_kind.get(POSITIONAL, ()), *by_kind.get(NAMED, ()))
        by_keyword = tuple(by_kind.get(KEYWORD, ()))
        put = object.__setattr__
        put(self, "positional", positional)
        put(self, "by_keyword", by_keyword)
        put(self, "named", {p.name: p for p in (*by_kind.get(NAMED, ()), *by_keyword)})
        put(self, "rest", next(iter(by_kind.get(POSITIONALS, ())), None))
        put(self, "keywords", next(iter(by_kind.get(KEYWORDS, ())), None))

    def as_json(self) -> dict[str, Any]:
        """Without what is as usual."""
        found: dict[str, Any] = {
            "parameters": [_parameter_json(each) for each in self.parameters],
            "returns": self.returns,
        }
        if self.how != "method":
            found["how"] = self.how
        if self.asynchronous:
            found["async"] = True
        if self.unchecked:
            found["unchecked"] = list(self.unchecked)
        if self.overloads:
            found["overloads"] = [each.as_json() for each in self.overloads]
        return found

    @classmethod
    def of_json(cls, value: dict[str, Any]) -> "Function":
        """The inverse."""
        return cls(
            tuple(
                Parameter(
                    p["name"], p["kind"], p["required"], thaw(p["type"]), schema=p.get("schema")
                )
                for p in value["parameters"]
            ),
            thaw(value["returns"]),
            value.get("how", "method"),
            value.get("async", False),
            tuple(value.get("unchecked", ())),
            tuple(map(cls.of_json, value.get("overloads", ()))),
        )

    def doubted(self, *reasons: str) -> "Function":
        """The same with further reasons why it may be something else."""
        return replace(self, unchecked=tuple(dict.fromkeys((*self.unchecked, *reasons))))


def _parameter_json(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": parameter.name,
        "kind": parameter.kind,
        "required": parameter.required,
        "type": parameter.type,
    }
    return found if parameter.schema is None else {**found, "schema": parameter.schema}


Unpacker: TypeAlias = Callable[[ast.expr | None, Scope], "tuple[Parameter, ...] | None"]
"""What `**options: Unpack[Options]` names; None for any other annotation."""


class FunctionReader:
    """Reads functions of classes with a reader of types."""

    def __init__(self, types: TypeReader, unpacked: Unpacker) -> None:
        self.types = types
        self._unpacked = unpacked

    def read(self, node: AnyFunction, scope: Scope) -> Function:
        """A function in the body of a class."""
        how, doubts = "method", []
        scope = scope.within(_own_variables(node))
        for decorator in node.decorator_list:
            binder, doubt = self._decorator(decorator, node.name, scope)
            how = binder or how
            doubts += [doubt] if doubt else []
        skipped = 0 if how == "static" else 1
        parameters = self.parameters(node.args, skipped, scope)
        if not (skipped == 0 or node.args.posonlyargs or node.args.args):
            doubts.append(f"`{node.name}` takes no `self` by name")
        return Function(
            parameters,
            self._result(node, scope),
            how,
            asynchronous=isinstance(node, ast.AsyncFunctionDef) and not _yields(node),
            unchecked=tuple(doubts),
            scope=scope,
            doc=ast.get_docstring(node),
        )

    def is_overload(self, node: AnyFunction, scope: Scope) -> bool:
        """Whether it is one of several ways to call what follows."""
        return any(
            self.types.named(each, scope).name in ("typing.overload", "overload")
            for each in node.decorator_list
        )

    def parameters(
        self, arguments: ast.arguments, skipped: int, scope: Scope
    ) -> tuple[Parameter, ...]:
        """The parameters after the first `skipped` positional ones."""
        positional = [(POSITIONAL, a) for a in arguments.posonlyargs]
        positional += [(NAMED, a) for a in arguments.args]
        missing: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
        pairs = list(zip(positional, [*missing, *arguments.defaults], strict=True))
        found = [self._one(kind, a, default, scope) for (kind, a), default in pairs[skipped:]]
        if arguments.vararg:
            found.append(self._rest(POSITIONALS, arguments.vararg, scope))
        found += [
            self._one(KEYWORD, a, default, scope)
            for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        ]
        if arguments.kwarg:
            named = self._unpacked(arguments.kwarg.annotation, scope)
            rest = [self._rest(KEYWORDS, arguments.kwarg, scope)]
            found += rest if named is None else named
        return tuple(found)

    def _one(
        self, kind: str, argument: ast.arg, default: ast.expr | None, scope: Scope
    ) -> Parameter:
        type_ = self.types.read(argument.annotation, scope)
        required = default is None
        return Parameter(argument.arg, kind, required, type_, argument.annotation, default)

    def _rest(self, kind: str, argument: ast.arg, scope: Scope) -> Parameter:
        type_ = self.types.read(argument.annotation, scope)
        return Parameter(argument.arg, kind, False, type_, argument.annotation)

    def _result(self, node: AnyFunction, scope: Scope) -> Type:
        if any(
            _last(each) in ("contextmanager", "asynccontextmanager") for each in node.decorator_list
        ):
            return ("unknown", "a context manager")
        return self.types.read(node.returns, scope)

    def _decorator(self, node: ast.expr, name: str, scope: Scope) -> tuple[str | None, str | None]:
        """How it binds the function, or why nobody can tell what it leaves of it."""
        target = node.func if isinstance(node, ast.Call) else node
        found = self.types.named(target, scope)
        if _is_accessor(target):
            return "property", None
        if found.sure and found.kind in ("builtin", "external"):
            if found.name in _BINDERS and not isinstance(node, ast.Call):
                return _BINDERS[found.name], None
            if found.name in _NEUTRAL or _is_manager(found):
                return None, None
        if found.name in ("typing.overload", "overload"):
            return None, None
        return None, f"`{name}` is decorated by `{ast.unparse(target)[:80]}`"


def _is_accessor(target: ast.expr) -> bool:
    """`@name.setter` and its like, which redefine a property."""
    return isinstance(target, ast.Attribute) and target.attr in ("setter", "deleter", "getter")


def _is_manager(found: Found) -> bool:
    return found.name in ("contextlib.contextmanager", "contextlib.asynccontextmanager")


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _own_variables(node: ast.AST) -> dict[str, Type]:
    """Type parameters in brackets, which Python has since 3.12."""
    return {each.name: ("unknown", each.name) for each in getattr(node, "type_params", [])}


def _yields(node: ast.AsyncFunctionDef) -> bool:
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        each = waiting.pop()
        if isinstance(each, ast.Yield):
            return True
        if not isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(each)
    return False
