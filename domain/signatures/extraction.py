"""Signatures: what a version's entry class offers, as data that its event carries for ever."""

import ast
import json
import re
from dataclasses import replace
from typing import Any

from domain.errors import Invalid
from domain.plain_data import storable
from domain.signatures.docstrings import parameter_help
from domain.signatures.functions import (
    KEYWORD,
    NAMED,
    AnyFunction,
    Function,
    Parameter,
)
from domain.signatures.lineage import Line, LineageReader
from domain.signatures.members import MemberReader, Members
from domain.signatures.module import Module
from domain.signatures.reading import Scope
from domain.signatures.records import RecordReader
from domain.signatures.schema import SchemaReader
from domain.signatures.slots import Role, SlotReader
from domain.signatures.sources import Sources

Signature = dict[str, Any]

FORMAT = 2
MAX_METHODS = 300
MAX_BYTES = 512 * 1024
_ODD = re.compile(r"\\u(0000|d[89a-f])")


def extract(sources: Sources, entry: str, kind: str) -> Signature:
    """The signature of the entry class `module:Class`.

    `{"format", "parameters": JSON Schema, "methods", "attributes", "open", "doubts", "slots",
    "roles", "doc"}`: see docs/abstractions.md. Raises Invalid, naming what is missing or too much.
    """
    module, node, doubts = _entry(sources, entry)
    reader = _Reader(sources)
    members = reader.members.read(module, node)
    if len(members.methods) + len(members.attributes) > MAX_METHODS:
        raise Invalid(f"`{node.name}` has more than {MAX_METHODS} members", field="entry")
    signature = {
        "format": FORMAT,
        "parameters": reader.form(module, node, members, kind),
        **reader.offered(members),
        "open": _few(members.open),
        "doubts": _few([*doubts, *members.doubts, *_abstract(members)]),
        "slots": {},
        "roles": {},
        "doc": ast.get_docstring(node) or "",
    }
    if kind == "executor":
        signature["slots"] = reader.slots.slots(reader.lines(module, node))
        for slot in signature["slots"]:
            signature["attributes"].pop(slot, None)
        signature["roles"] = {name: role.as_json() for name, role in reader.slots.roles.items()}
    return _bounded(signature)


def roles_of(sources: Sources, module: str) -> dict[str, Role]:
    """The Protocols of a module of a layer by name."""
    sources = Sources({}, sources)
    there = sources.module(module)
    reader = _Reader(sources)
    return (
        {}
        if there is None
        else {
            name: reader.slots.role(ast.Name(id=name), Scope(there))
            for name, binding in there.bindings.items()
            if isinstance(binding.node, ast.ClassDef)
        }
    )


class _Reader:
    """All readers over the same sources."""

    def __init__(self, sources: Sources) -> None:
        self.lineages = LineageReader(sources)
        self.records = RecordReader(self.lineages)
        self.members = MemberReader(self.lineages, self.records)
        self.slots = SlotReader(self.members)
        self.schemas = SchemaReader(self.lineages.types, self.records)

    def lines(self, module: Module, node: ast.ClassDef) -> list[Line]:
        """The classes of a lineage whose source is there."""
        return [e for e in self.lineages.read(module, node).lines if isinstance(e, Line)]

    def form(
        self, module: Module, node: ast.ClassDef, members: Members, kind: str
    ) -> dict[str, Any]:
        """The schema of what a user fills in: `execute` of an executor, else the constructor."""
        if kind == "executor":
            return self._of_execute(module, node, members)
        if members.init is not None:
            line, function = members.init
            return self._of_function(line, function, function.args, ast.get_docstring(line.node))
        fields = self.records.constructor(module, node)
        if fields is not None:
            help_ = parameter_help(ast.get_docstring(node))
            return self.schemas.form(fields, Scope(module), help_)
        form = self.schemas.form((), Scope(module), {})
        unseen = bool(self.lineages.read(module, node).unseen)
        return {**form, "additionalProperties": unseen}

    def offered(self, members: Members) -> dict[str, Any]:
        """Methods and attributes as JSON, with what a form asks for parameters of methods."""
        asked = {name: self._asked(each) for name, each in members.methods.items()}
        return replace(members, methods=asked).as_json()

    def _asked(self, function: Function) -> Function:
        """The function with schemas of those parameters that a form can ask for."""
        scope = function.scope
        if scope is None:
            return function
        help_ = parameter_help(function.doc)
        return replace(
            function,
            parameters=tuple(
                self._with_schema(each, scope, help_.get(each.name)) for each in function.parameters
            ),
        )

    def _with_schema(self, parameter: Parameter, scope: Scope, help_: str | None) -> Parameter:
        if parameter.kind not in (NAMED, KEYWORD) or parameter.annotation is None:
            return parameter
        asked = self.schemas.parameter(parameter, scope, help_)
        return replace(parameter, schema=asked.schema) if asked.whole else parameter

    def _of_execute(self, module: Module, node: ast.ClassDef, members: Members) -> dict[str, Any]:
        for line in self.lines(module, node):
            for statement in reversed(line.node.body):
                if isinstance(statement, AnyFunction) and statement.name == "execute":
                    if line.of_sdk:
                        break
                    return self._of_function(line, statement, statement.args, None)
        if members.open or members.doubts or "execute" in members.attributes:
            return {**self.schemas.form((), Scope(module), {}), "additionalProperties": True}
        raise Invalid(f"executor `{node.name}` has no method `execute`", field="entry")

    def _of_function(
        self, line: Line, node: AnyFunction, arguments: ast.arguments, class_doc: str | None
    ) -> dict[str, Any]:
        parameters = self.members.functions.parameters(arguments, 1, line.scope)
        help_ = {**parameter_help(class_doc), **parameter_help(ast.get_docstring(node))}
        return self.schemas.form(parameters, line.scope, help_)


def _entry(sources: Sources, entry: str) -> tuple[Module, ast.ClassDef, list[str]]:
    """The entry class, and why it may be another."""
    where, _, name = entry.partition(":")
    module = sources.module(where)
    if module is not None:
        found = sources.meaning(module, name)
        if found.kind == "class" and found.module and isinstance(found.node, ast.ClassDef):
            doubts = [] if found.sure else [f"`{name}` is defined in more than one way"]
            return found.module, found.node, doubts
    raise Invalid(f"the bundle has no class `{name}` in module `{where}`", field="entry")


def _bounded(signature: Signature) -> Signature:
    """As JSON that can be stored. NUL and half characters in text are rare, and slow to mend."""
    text = json.dumps(signature)
    if len(text) > MAX_BYTES:
        kilobytes = MAX_BYTES // 1024
        raise Invalid(f"the signature is larger than {kilobytes} KiB", field="entry")
    plain: Signature = json.loads(text)
    return storable(plain) if _ODD.search(text) else plain


def _abstract(members: Members) -> list[str]:
    return [f"`{name}` is abstract" for name in members.abstract if name not in members.methods]


def _few(reasons: list[str]) -> list[str]:
    return list(dict.fromkeys(reasons))[:20]
