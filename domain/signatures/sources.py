"""The modules of a bundle, over those of the layers below it, and what names in them mean."""

import ast
import builtins
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from domain.errors import Invalid
from domain.signatures.module import Binding, Module

MAX_MODULE_BYTES = 2 * 1024 * 1024
_MAX_HOPS = 32
_BUILTINS = frozenset(dir(builtins))

Kind = Literal["class", "function", "value", "module", "external", "builtin", "unknown"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a name means: `name` is dotted; of what the sources hold, `module` and `node` say where.

    Not `sure` where the name may mean something else when the code runs.
    """

    kind: Kind
    name: str
    module: Module | None = None
    node: ast.AST | None = None
    sure: bool = True


class Sources:
    """Finds modules by name in files, then in the layer below; each is parsed once."""

    def __init__(self, files: Mapping[str, bytes], below: "Sources | None" = None) -> None:
        self.files = files
        self.below = below
        self._modules: dict[str, Module | None] = {}
        self._meanings: dict[tuple[str, str], Found] = {}

    def module(self, name: str) -> Module | None:
        """The module, if a file holds it. Raises Invalid for one that cannot be parsed."""
        if name not in self._modules:
            self._modules[name] = self._parsed(name)
        return self._modules[name]

    def owns(self, module: Module) -> bool:
        """Whether it lies in these files, and not in a layer below."""
        return self._modules.get(module.name) is module and bool(_paths(module.name, self.files))

    def meaning(self, module: Module, dotted: str) -> Found:
        """What a dotted name means in a module."""
        key = (module.name, dotted)
        if key not in self._meanings:
            self._meanings[key] = self._meaning(module, dotted, 0)
        return self._meanings[key]

    def _meaning(self, module: Module, dotted: str, hops: int) -> Found:
        first, _, rest = dotted.partition(".")
        binding = module.bindings.get(first)
        if hops > _MAX_HOPS:
            return Found("unknown", dotted)
        if binding is None:
            return self._unbound(module, first, rest, hops)
        found = self._bound(module, first, binding, hops)
        return self._member(found, rest, hops) if rest else found

    def _unbound(self, module: Module, name: str, rest: str, hops: int) -> Found:
        for origin in module.stars:
            found = self._attribute(origin, name, hops + 1)
            if found.kind not in ("external", "unknown"):
                return self._member(found, rest, hops) if rest else found
        if module.stars or rest:
            return Found("unknown", f"{name}.{rest}" if rest else name)
        return Found("builtin" if name in _BUILTINS else "unknown", name)

    def _bound(self, module: Module, name: str, binding: Binding, hops: int) -> Found:
        if binding.origin is None:
            return _local(module, name, binding)
        origin, member = binding.origin
        if not member:
            return Found("module", origin, sure=binding.sure)
        found = self._attribute(origin, member, hops + 1)
        return (
            found
            if binding.sure
            else Found(found.kind, found.name, found.module, found.node, sure=False)
        )

    def _attribute(self, module: str, name: str, hops: int) -> Found:
        there = self.module(module)
        if there is None:
            inside = self.module(f"{module}.{name}")
            return Found("external" if inside is None else "module", f"{module}.{name}")
        found = self._meaning(there, name, hops)
        if found.kind != "unknown" and found.kind != "builtin":
            return found
        inside = self.module(f"{module}.{name}")
        return Found("unknown" if inside is None else "module", f"{module}.{name}")

    def _member(self, found: Found, rest: str, hops: int) -> Found:
        if found.kind == "module":
            name, _, more = rest.partition(".")
            inner = self._attribute(found.name, name, hops + 1)
            return self._member(inner, more, hops + 1) if more else inner
        if found.kind == "external":
            return Found("external", f"{found.name}.{rest}", sure=found.sure)
        return Found("unknown", f"{found.name}.{rest}")

    def _parsed(self, name: str) -> Module | None:
        paths = _paths(name, self.files)
        if not paths:
            return self.below.module(name) if self.below is not None else None
        source = self.files[paths[0]]
        if len(source) > MAX_MODULE_BYTES:
            megabytes = MAX_MODULE_BYTES // 1024**2
            raise Invalid(f"`{paths[0]}` is larger than {megabytes} MiB", field=paths[0])
        try:
            return Module(name, source, package=paths[0].endswith("__init__.py"))
        except SyntaxError as error:
            detail = f"`{paths[0]}` is no Python that this server reads, line {error.lineno}"
            raise Invalid(f"{detail}: {error.msg}", field=paths[0]) from None
        except ValueError as error:  # NUL bytes, or an integer of too many digits
            raise Invalid(f"`{paths[0]}` is no Python: {error}", field=paths[0]) from None


def _paths(name: str, files: Mapping[str, bytes]) -> list[str]:
    path = name.replace(".", "/")
    return [each for each in (f"{path}.py", f"{path}/__init__.py") if each in files]


def _local(module: Module, name: str, binding: Binding) -> Found:
    kind: Kind = "value"
    if isinstance(binding.node, ast.ClassDef):
        kind = "class"
    elif isinstance(binding.node, ast.FunctionDef | ast.AsyncFunctionDef):
        kind = "function"
    return Found(kind, f"{module.name}.{name}", module, binding.node, binding.sure)


@cache
def _patch(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"\b%s\s*\.\s*\w+\s*(?::[^=\n]*)?=(?!=)" % re.escape(name.encode()))


def patched_elsewhere(sources: Sources, name: str) -> str | None:
    """A file of the bundle in which attributes of a class of this name seem to be assigned."""
    pattern = _patch(name)
    for path, source in sources.files.items():
        if path.endswith(".py") and pattern.search(source):
            return path
    return None
