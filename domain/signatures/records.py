"""Classes made of declared fields (dataclasses, TypedDicts, pydantic models), and enums."""

import ast
from dataclasses import dataclass, replace
from typing import Any

from domain.signatures.constraints import UNKNOWN, literal
from domain.signatures.docstrings import parameter_help
from domain.signatures.functions import KEYWORD, NAMED, Parameter
from domain.signatures.lineage import Line, LineageReader, Unseen
from domain.signatures.module import Module
from domain.signatures.reading import Scope

_ENUMS = ("enum.Enum", "enum.IntEnum", "enum.StrEnum")
_MAX_FIELDS = 200


@dataclass(frozen=True, slots=True)
class Field:
    """One field; `said` is a call like `Field(ge=1)` that stands for its default."""

    annotation: ast.expr
    required: bool
    default: ast.expr | None
    scope: Scope
    keyword_only: bool = False
    said: tuple[ast.expr, ...] = ()
    help: str | None = None


class RecordReader:
    """Reads fields and choices with a reader of lineages."""

    def __init__(self, lineages: LineageReader) -> None:
        self._lineages = lineages

    def choices(self, module: Module, node: ast.ClassDef) -> list[Any] | None:
        """The values of an enum; None for another class, and where one is computed."""
        base = self._enum_base(module, node)
        if base is None:
            return None
        values = [self.member(module, node, name) for name, _ in _assigned(node)]
        return None if UNKNOWN in values or not values else values

    def member(self, module: Module, node: ast.ClassDef, name: str) -> Any:
        """The value of one member of an enum, or `UNKNOWN`."""
        base = self._enum_base(module, node)
        last: Any = 0
        for each, value in _assigned(node) if base else ():
            found = literal(value)
            if found is UNKNOWN and ast.unparse(value).endswith("auto()"):
                found = each.lower() if base == "enum.StrEnum" else _next(last)
            if each == name:
                return found
            last = found
        return UNKNOWN

    def fields(self, module: Module, node: ast.ClassDef) -> dict[str, Field] | None:
        """The fields that making an instance takes; None for a class that declares none."""
        lineage = self._lineages.read(module, node)
        if lineage.doubts:
            return None
        lines = [each for each in lineage.lines if isinstance(each, Line)]
        models = {each.name for each in lineage.lines if isinstance(each, Unseen)}
        typed_dict = any(self._derives(line, "typing.TypedDict") for line in lines)
        pydantic = "pydantic.BaseModel" in models
        if models - {"pydantic.BaseModel"} or not (
            pydantic or typed_dict or self._dataclass(lines[0]) is not None
        ):
            return None
        found: dict[str, Field] = {}
        for line in reversed(lines):
            found |= self._own(line, typed_dict=typed_dict, pydantic=pydantic)
        return found if len(found) <= _MAX_FIELDS else None

    def constructor(self, module: Module, node: ast.ClassDef) -> tuple[Parameter, ...] | None:
        """The parameters of an `__init__` that nobody wrote; None where there is none."""
        fields = self.fields(module, node)
        if fields is None:
            return None
        return tuple(
            Parameter(
                name,
                KEYWORD if each.keyword_only else NAMED,
                each.required,
                self._lineages.types.read(each.annotation, each.scope),
                each.annotation,
                each.default if each.default is not None or each.required else ast.Constant(...),
            )
            for name, each in fields.items()
        )

    def unpacked(self, annotation: ast.expr | None, scope: Scope) -> tuple[Parameter, ...] | None:
        """The keywords that `Unpack[Options]` of a TypedDict stands for."""
        if not isinstance(annotation, ast.Subscript) or _last(annotation.value) != "Unpack":
            return None
        found = self._lineages.types.named(annotation.slice, scope)
        if not found.sure or found.module is None or not isinstance(found.node, ast.ClassDef):
            return None
        parameters = self.constructor(found.module, found.node)
        if parameters is None:
            return None
        return tuple(replace(each, kind=KEYWORD) for each in parameters)

    def _own(self, line: Line, *, typed_dict: bool, pydantic: bool) -> dict[str, Field]:
        settings = self._dataclass(line)
        if settings is None and not typed_dict and not pydantic:
            return {}
        said = parameter_help(ast.get_docstring(line.node))
        total = not typed_dict or _setting(line.node.keywords, "total", default=True)
        keyword_only = pydantic or _setting(settings or [], "kw_only", default=False)
        found = {}
        for statement in line.node.body:
            if not isinstance(statement, ast.AnnAssign) or not isinstance(
                statement.target, ast.Name
            ):
                continue
            name, written = statement.target.id, ast.unparse(statement.annotation)
            if written.rpartition(".")[2] == "KW_ONLY":
                keyword_only = True
            elif not _is_left_out(statement, written, pydantic=pydantic):
                field = _field(statement, line.scope, total=total, keyword_only=keyword_only)
                found[name] = replace(field, help=said.get(name))
        return found

    def _dataclass(self, line: Line) -> list[ast.keyword] | None:
        """The arguments of its `@dataclass`, if it is one."""
        for decorator in line.node.decorator_list:
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            if self._lineages.types.named(target, line.scope).name == "dataclasses.dataclass":
                return decorator.keywords if isinstance(decorator, ast.Call) else []
        return None

    def _enum_base(self, module: Module, node: ast.ClassDef) -> str | None:
        names = [self._lineages.types.named(base, Scope(module)).name for base in node.bases]
        return next((name for name in names if name in _ENUMS), None)

    def _derives(self, line: Line, name: str) -> bool:
        return any(self._lineages.types.named(b, line.scope).name == name for b in line.node.bases)


def _field(statement: ast.AnnAssign, scope: Scope, *, total: bool, keyword_only: bool) -> Field:
    annotation, value = statement.annotation, statement.value
    written = ast.unparse(annotation)
    required = total and value is None
    if "NotRequired[" in written:
        required = False
    elif written.startswith(("Required[", "typing.Required[")):
        required = True
    if not isinstance(value, ast.Call) or _last(value.func) not in ("field", "Field"):
        return Field(annotation, required, value, scope, keyword_only)
    given = {k.arg: k.value for k in value.keywords}
    default = given.get("default", value.args[0] if value.args else None)
    if isinstance(default, ast.Constant) and default.value is ...:
        default = None
    required = default is None and "default_factory" not in given
    keyword_only = keyword_only or _setting(value.keywords, "kw_only", default=False)
    said = (value,) if _last(value.func) == "Field" else ()
    return Field(annotation, required, default, scope, keyword_only, said)


def _is_left_out(statement: ast.AnnAssign, written: str, *, pydantic: bool) -> bool:
    """Whether making an instance does not take it."""
    if "ClassVar" in written or (pydantic and statement.target.id.startswith("_")):  # type: ignore[union-attr]
        return True
    call = statement.value
    return isinstance(call, ast.Call) and not _setting(call.keywords, "init", default=True)


def _setting(keywords: list[ast.keyword], name: str, *, default: bool) -> bool:
    for keyword in keywords:
        if keyword.arg == name and isinstance(keyword.value, ast.Constant):
            return bool(keyword.value.value)
    return default


def _assigned(node: ast.ClassDef) -> list[tuple[str, ast.expr]]:
    return [
        (target.id, statement.value)
        for statement in node.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name) and not target.id.startswith("_")
    ]


def _next(last: Any) -> Any:
    return last + 1 if isinstance(last, int) else UNKNOWN


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
