"""What a class offers, read from its source without importing it.

An executor's form comes from `execute`, a model's and a loader's from `__init__`; an executor's
slots are its annotations `name: Slot[Role]`. What cannot be read statically is left unchecked,
never guessed.
"""

import ast
from collections.abc import Mapping
from typing import Any

from domain.errors import Invalid
from domain.plain_data import storable
from domain.schema import parameter_schema

Signature = dict[str, Any]

_FORM_METHOD = {"executor": "execute", "model": "__init__", "loader": "__init__"}
_MAX_BASES = 32


def extract(files: Mapping[str, bytes], entry: str, kind: str) -> Signature:
    """The signature of the entry class `module:Class` in a bundle's files.

    `{"parameters": JSON Schema, "methods": {name: [parameter, ...]}, "slots": {name: slot},
    "doc": str}`. Raises Invalid, naming what is missing.
    """
    classes = _Classes(files)
    module, _, name = entry.partition(":")
    lineage = classes.lineage(module, name)
    if not lineage:
        raise Invalid(f"the bundle has no class `{name}` in module `{module}`", field="entry")
    methods = _methods(lineage)
    form = methods.get(_FORM_METHOD[kind])
    if form is None and kind == "executor":
        raise Invalid(f"executor `{name}` has no method `execute`", field="entry")
    return {
        "parameters": parameter_schema(form),
        "methods": {n: _parameters(f) for n, f in methods.items() if not n.startswith("_")},
        "slots": _slots(lineage) if kind == "executor" else {},
        "doc": storable(ast.get_docstring(lineage[0]) or ""),
    }


def roles(source: bytes) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The protocols of a module by name: `{role: {method: [parameter, ...]}}`."""
    tree = ast.parse(source)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return {
        name: {
            method: _parameters(function)
            for method, function in _methods(_with_bases(node, classes)).items()
            if not method.startswith("_")
        }
        for name, node in classes.items()
        if any("Protocol" in ast.unparse(base) for base in node.bases)
    }


def _with_bases(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> list[ast.ClassDef]:
    """A class and its bases in the same module, nearest first."""
    names = [base.id for base in node.bases if isinstance(base, ast.Name)]
    bases = [classes[name] for name in names if name in classes]
    return [node, *(found for base in bases for found in _with_bases(base, classes))]


def misfits(
    role: Mapping[str, list[dict[str, Any]]], candidate: Mapping[str, list[dict[str, Any]]]
) -> list[str]:
    """Why a candidate's methods cannot stand in for a role's; empty when they can."""
    reasons = []
    for method, wanted in role.items():
        offered = candidate.get(method)
        if offered is None:
            reasons.append(f"it has no method `{method}`")
            continue
        names = {p["name"] for p in offered}
        if not any(p["kind"] == "keywords" for p in offered):
            reasons += [
                f"`{method}` does not accept `{p['name']}`"
                for p in wanted
                if p["name"] not in names and p["kind"] == "named"
            ]
        if any(p["kind"] == "keywords" for p in wanted):
            continue  # the executor may pass anything more: only running it can tell
        known = {p["name"] for p in wanted}
        reasons += [
            f"`{method}` requires `{p['name']}`, which the role does not give"
            for p in offered
            if p["required"] and p["name"] not in known
        ]
    return reasons


class _Classes:
    """Finds classes and their base classes within the modules of a bundle."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self._trees: dict[str, ast.Module | None] = {}

    def lineage(self, module: str, name: str) -> list[ast.ClassDef]:
        """The class, then those of its bases that the bundle holds, nearest first."""
        found: list[ast.ClassDef] = []
        waiting = [(module, name)]
        while waiting and len(found) < _MAX_BASES:
            module, name = waiting.pop(0)
            tree = self._tree(module)
            node = _class_in(tree, name) if tree else None
            if tree is None or node is None:
                continue
            found.append(node)
            imported = _imports(tree)
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            waiting += [imported.get(base, (module, base)) for base in bases]
        return found

    def _tree(self, module: str) -> ast.Module | None:
        if module not in self._trees:
            path = module.replace(".", "/")
            source = self._files.get(f"{path}.py") or self._files.get(f"{path}/__init__.py")
            self._trees[module] = ast.parse(source) if source is not None else None
        return self._trees[module]


def _class_in(tree: ast.Module, name: str) -> ast.ClassDef | None:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    return None


def _imports(tree: ast.Module) -> dict[str, tuple[str, str]]:
    """Names bound by `from module import name`, with where they come from."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def _methods(lineage: list[ast.ClassDef]) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    found: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
    for node in lineage:
        for item in node.body:
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                found.setdefault(item.name, item)
    return found


def _slots(lineage: list[ast.ClassDef]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for node in lineage:
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                slot = _slot(item.annotation)
                if slot is not None:
                    found.setdefault(item.target.id, slot)
    return found


def _slot(annotation: ast.expr) -> dict[str, Any] | None:
    """`Slot[Role]`, or `Slot[Role] | None` for a slot that may stay empty."""
    optional = False
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except (SyntaxError, ValueError):
            return None  # no type checker reads it either
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        optional = ast.unparse(annotation.right) == "None"
        annotation = annotation.left
    if not isinstance(annotation, ast.Subscript):
        return None
    if ast.unparse(annotation.value).rpartition(".")[2] != "Slot":
        return None
    return {"role": ast.unparse(annotation.slice).rpartition(".")[2], "optional": optional}


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[dict[str, Any]]:
    """The parameters after `self`: name, kind (named, positionals, keywords), required."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args][1:]
    defaults = len(arguments.defaults)
    found = [
        {"name": a.arg, "kind": "named", "required": index < len(positional) - defaults}
        for index, a in enumerate(positional)
    ]
    if arguments.vararg:
        found.append({"name": arguments.vararg.arg, "kind": "positionals", "required": False})
    found += [
        {"name": a.arg, "kind": "named", "required": default is None}
        for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        found.append({"name": arguments.kwarg.arg, "kind": "keywords", "required": False})
    return found
