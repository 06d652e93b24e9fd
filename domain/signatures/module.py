"""One module of a bundle, parsed: what its names are bound to, and how surely."""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_REBINDING = re.compile(
    rb"(?<![.\w])(setattr|delattr|exec|eval|globals|locals|vars)\s*\("
    rb"|\b(__dict__|__setattr__|__code__|builtins|sys\.modules)\b|\b(__class__)\s*=(?!=)"
)
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_PLAIN_ENCODINGS = {b"utf-8", b"utf8", b"ascii", b"us-ascii"}
_LINES = re.compile(r"\r\n|\r|\n")


@dataclass(slots=True)
class Binding:
    """What a name stands for; not `sure` where it is bound twice, or only in some cases."""

    node: ast.AST
    sure: bool
    origin: tuple[str, str] | None = None
    """Of an import: the module, and the name in it (empty for the module itself)."""


class Module:
    """A parsed module. Raises SyntaxError and ValueError for what is no Python."""

    def __init__(self, name: str, source: bytes, *, package: bool) -> None:
        self.name = name
        self.tree = parsed(source)
        self.bindings: dict[str, Binding] = {}
        self.patched: set[str] = set()
        """Names of classes and modules whose attributes are assigned at the top level."""
        self.stars: list[str] = []
        self._source = source
        self._package = package
        self._bind(self.tree.body, sure=True)
        if b"global" in source:
            self._doubt_globals()

    @cached_property
    def dynamic(self) -> str | None:
        """What in it can change methods unseen, in words."""
        found = _REBINDING.search(self._source)
        if found is not None:
            what = found[0].decode().rstrip(" (=")
            return f"module `{self.name}` uses `{what}`, which can change methods"
        for line in self._source.split(b"\n", 2)[:2]:
            cookie = _COOKIE.match(line)
            if cookie and cookie[1].lower() not in _PLAIN_ENCODINGS:
                return f"module `{self.name}` is not written in UTF-8"
        return None

    @cached_property
    def lines(self) -> list[str]:
        """Its source lines, as the parser counts them."""
        return _LINES.split(self._source.decode(errors="replace"))

    def text_of(self, node: ast.stmt) -> str:
        """The source lines of a statement."""
        return "\n".join(self.lines[node.lineno - 1 : node.end_lineno])

    def _bind(self, statements: Iterable[ast.stmt], *, sure: bool) -> None:
        for statement in statements:
            self._bind_one(statement, sure=sure)
            for block in _blocks(statement):
                self._bind(block, sure=False)

    def _bind_one(self, statement: ast.stmt, *, sure: bool) -> None:
        match statement:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                self._add(statement.name, Binding(statement, sure))
            case ast.Import() | ast.ImportFrom():
                self._import(statement)
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                for target in _targets(statement):
                    self._assign(target, value, sure=sure)
            case ast.AugAssign() | ast.For() | ast.Delete():
                for target in _targets(statement):
                    self._assign(target, target, sure=False)
            case _ if type(statement).__name__ == "TypeAlias":  # since Python 3.12
                self._assign(*_alias(statement), sure=sure)

    def _assign(self, target: ast.expr, value: ast.expr, *, sure: bool) -> None:
        match target:
            case ast.Name(id=name):
                self._add(name, Binding(value, sure))
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self._assign(part, part, sure=False)
            case ast.Starred(value=part):
                self._assign(part, part, sure=False)
            case ast.Attribute(value=owner):
                self.patched.add(ast.unparse(owner).partition(".")[0])
            case _:
                pass  # an item of something: no name

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                self._add(alias.asname or whole, Binding(statement, True, (whole, "")))
            return
        origin = self._absolute(statement)
        for alias in statement.names:
            if alias.name == "*":
                self.stars.append(origin)
            else:
                bound = alias.asname or alias.name
                self._add(bound, Binding(statement, True, (origin, alias.name)))

    def _absolute(self, statement: ast.ImportFrom) -> str:
        name = (statement.module or "").replace("typing_extensions", "typing")
        if not statement.level:
            return name
        parts = self.name.split(".")
        up = statement.level - (1 if self._package else 0)
        return ".".join([*parts[: len(parts) - up], *([name] if name else [])])

    def _add(self, name: str, binding: Binding) -> None:
        known = self.bindings.get(name)
        if known is not None and (known.origin is None or known.origin != binding.origin):
            binding.sure = False
        self.bindings[name] = binding

    def _doubt_globals(self) -> None:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Global):
                for name in node.names:
                    if name in self.bindings:
                        self.bindings[name].sure = False


def parsed(source: bytes) -> ast.Module:
    """The syntax tree, without a word about odd escapes. Raises SyntaxError and ValueError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _targets(statement: Any) -> list[ast.expr]:
    return getattr(statement, "targets", None) or [statement.target]


def _alias(statement: Any) -> tuple[ast.expr, ast.expr]:
    return statement.name, statement.value


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The statements within a statement that bind names of the same scope."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return
    for member in ("body", "orelse", "finalbody"):
        yield getattr(statement, member, [])
    for branch in (*getattr(statement, "handlers", []), *getattr(statement, "cases", [])):
        yield branch.body
