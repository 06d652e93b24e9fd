"""JSON Schema of a function's parameters, from its annotations and literal defaults."""

import ast
from typing import Any

from domain.plain_data import flaw

_PLAIN = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "list": {"type": "array"},
    "dict": {"type": "object"},
}


def parameter_schema(function: ast.FunctionDef | ast.AsyncFunctionDef | None) -> dict[str, Any]:
    """An object schema with one property per parameter after `self`.

    A parameter without a default is required. Annotations that are not read allow any value.
    """
    properties: dict[str, Any] = {}
    required: list[str] = []
    if function is not None:
        for argument, default in _arguments(function.args):
            schema = annotation_schema(argument.annotation)
            if default is None:
                required.append(argument.arg)
            elif (value := _literal(default)) is not _UNKNOWN:
                schema = {**schema, "default": value}
            properties[argument.arg] = schema
    open_ended = function is not None and function.args.kwarg is not None
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": open_ended,
    }


def annotation_schema(annotation: ast.expr | None) -> dict[str, Any]:
    """The schema of an annotation; `{}` (anything) for one that is not read."""
    match annotation:
        case ast.Name(id=name) if name in _PLAIN:
            return dict(_PLAIN[name])
        case ast.Constant(value=None):
            return {"type": "null"}
        case ast.Constant(value=str(text)):
            return _parsed(text)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return {"anyOf": [annotation_schema(left), annotation_schema(right)]}
        case ast.Subscript(value=value, slice=inner):
            return _generic(ast.unparse(value).rpartition(".")[2], inner)
        case _:
            return {}


def _generic(name: str, inner: ast.expr) -> dict[str, Any]:
    members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    match name:
        case "list" | "List" | "Sequence":
            return {"type": "array", "items": annotation_schema(members[0])}
        case "dict" | "Dict" | "Mapping" if len(members) == 2:
            return {"type": "object", "additionalProperties": annotation_schema(members[1])}
        case "Optional":
            return {"anyOf": [annotation_schema(members[0]), {"type": "null"}]}
        case "Union":
            return {"anyOf": [annotation_schema(member) for member in members]}
        case "Literal":
            values = [_literal(member) for member in members]
            return {} if _UNKNOWN in values else {"enum": values}
        case "Annotated":
            return annotation_schema(members[0])
        case _:
            return {}


def _parsed(text: str) -> dict[str, Any]:
    try:
        return annotation_schema(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError):
        return {}


def _arguments(arguments: ast.arguments) -> list[tuple[ast.arg, ast.expr | None]]:
    positional = [*arguments.posonlyargs, *arguments.args][1:]
    missing = [None] * (len(positional) - len(arguments.defaults))
    pairs = zip(positional, [*missing, *arguments.defaults], strict=False)
    return [*pairs, *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]


_UNKNOWN = object()


def _literal(node: ast.expr) -> Any:
    """The JSON value that an expression writes out, or `_UNKNOWN`."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        return _UNKNOWN
    value = list(value) if isinstance(value, tuple) else value
    return _UNKNOWN if flaw(value) else value
