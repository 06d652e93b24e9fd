"""Turns JSON values into the objects that annotations mean: enums, dataclasses, tuples and so on.

What an annotation says that is not known here is left as it is: it is up to the code then.
"""

import inspect
import json
import typing
from collections import OrderedDict, abc, deque
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath
from types import NoneType, UnionType
from typing import Any, Literal, Union
from uuid import UUID

from hansard.annotations import bare, field_types, parameter_types
from hansard.secret import Secret

_ARRAYS: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys((list, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection), list),
    **dict.fromkeys((set, abc.Set, abc.MutableSet), set),
    frozenset: frozenset,
    deque: deque,
}
_OBJECTS: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys((dict, abc.Mapping, abc.MutableMapping), dict),
    OrderedDict: OrderedDict,
}
_TEXTS: dict[Any, Callable[[str], Any]] = {
    Path: Path,
    PurePath: PurePath,
    UUID: UUID,
    Decimal: Decimal,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    time: time.fromisoformat,
}
_MOST_TOLD = 20


class Misfit(Exception):
    """A value that is not what was wanted: where inside of it, and what is wrong in words."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why


def converted(value: Any, annotation: Any, path: str = "") -> Any:
    """The object that a JSON value stands for. Raises Misfit, which never tells the value.

    >>> converted([1, 2.0], tuple[int, float])
    (1, 2.0)
    """
    wanted = bare(annotation)
    kind, inner = typing.get_origin(wanted) or wanted, typing.get_args(wanted)
    if kind in (Union, UnionType):
        return _any_of(value, inner, path)
    if kind is Literal:
        return _one_of(value, {each: each for each in inner}, path, "one")
    if not isinstance(kind, type):
        return value
    if issubclass(kind, Secret):
        return _of(value, Secret, path, kind)
    if issubclass(kind, Enum):
        return _member(value, kind, path)
    if hasattr(kind, "__get_pydantic_core_schema__") or hasattr(kind, "__pydantic_validator__"):
        return _by_pydantic(value, wanted, path)
    return _plain(value, kind, inner, path)


def _plain(value: Any, kind: Any, inner: tuple[Any, ...], path: str) -> Any:
    """A value of the standard library's types and of classes made of fields."""
    if kind in (bool, int, float, str, NoneType):
        return _scalar(value, kind, path)
    if kind in _TEXTS:
        return _from_text(_of(value, str, path, kind), kind, path)
    if kind is tuple:
        return _tuple(value, inner, path)
    if kind in _ARRAYS:
        items = _items(value, inner[0] if inner else Any, path, kind)
        return _made(_ARRAYS[kind], kind, path, items)
    if kind in _OBJECTS:
        return _OBJECTS[kind](_object(value, inner, path, kind))
    if hasattr(kind, "__required_keys__"):  # a TypedDict
        return _fields(value, kind, field_types(kind), kind.__required_keys__, path)
    if is_dataclass(kind) and isinstance(kind, type):
        return _record(value, kind, path)
    return value


def _scalar(value: Any, kind: type, path: str) -> Any:
    """A whole number will do for a float, and one written `3.0` for an int; a bool is no number."""
    if type(value) is kind or (kind is float and type(value) is int):
        return value
    if kind is int and type(value) is float and value.is_integer():
        return int(value)
    raise _not(kind, value, path)


def _from_text(text: str, kind: Any, path: str) -> Any:
    try:
        return _TEXTS[kind](text)
    except (ValueError, ArithmeticError):
        raise Misfit(path, f"is no {kind.__name__} that can be read") from None


def _member(value: Any, kind: type[Enum], path: str) -> Enum:
    """The member of an enum with this value, or the one that the enum finds for it itself."""
    options = {each: each.value for each in kind}
    try:
        return typing.cast("Enum", _one_of(value, options, path, kind.__name__))
    except Misfit:
        if isinstance(value, bool | list | dict):
            raise
        try:
            return kind(value)
        except ValueError:
            pass
        raise


def _one_of(value: Any, options: Mapping[Any, Any], path: str, name: str) -> Any:
    for option, meant in options.items():
        if _same(value, meant.value if isinstance(meant, Enum) else meant):
            return option
    told = ", ".join(repr(each) for each in list(options.values())[:_MOST_TOLD])
    raise Misfit(path, f"is {name} of {told}, not another {type(value).__name__}")


def _same(value: Any, meant: Any) -> bool:
    if isinstance(value, bool) or isinstance(meant, bool):
        return value is meant
    if isinstance(meant, tuple) and isinstance(value, list):
        return len(meant) == len(value) and all(map(_same, value, meant))
    return bool(value == meant)


def _any_of(value: Any, members: tuple[Any, ...], path: str) -> Any:
    """As the first member that takes it as it is, else as the first that can be made of it."""
    found, wrong = [], []
    for member in members:
        try:
            each = converted(value, member, path)
        except Misfit as misfit:
            wrong.append((member, misfit))
            continue
        if type(each) is type(value) and each == value:
            return each
        found.append(each)
    if found:
        return found[0]
    serious = [misfit for member, misfit in wrong if member is not NoneType]
    if len(serious) == 1 and value is not None:
        raise serious[0]
    raise Misfit(path, f"is {' or '.join(map(_name, members))}, not {type(value).__name__}")


def _items(value: Any, inner: Any, path: str, kind: type) -> list[Any]:
    items = _of(value, list, path, kind)
    return [converted(each, inner, f"{path}[{n}]") for n, each in enumerate(items)]


def _tuple(value: Any, inner: tuple[Any, ...], path: str) -> tuple[Any, ...]:
    if not inner or inner[1:] == (...,):
        return tuple(_items(value, inner[0] if inner else Any, path, tuple))
    items = _of(value, list, path, tuple)
    if len(items) != len(inner):
        raise Misfit(path, f"has {len(inner)} items, not {len(items)}")
    pairs = enumerate(zip(items, inner, strict=True))
    return tuple(converted(each, wanted, f"{path}[{n}]") for n, (each, wanted) in pairs)


def _object(value: Any, inner: tuple[Any, ...], path: str, kind: type) -> dict[Any, Any]:
    keys, values = inner if len(inner) == 2 else (Any, Any)
    return {
        _key(key, keys, path): converted(each, values, f"{path}[{key!r}]")
        for key, each in _of(value, dict, path, kind).items()
    }


def _key(key: str, wanted: Any, path: str) -> Any:
    """Keys of JSON are text: `"3"` is meant as a number where one is wanted."""
    try:
        return converted(key, wanted, path)
    except Misfit as misfit:
        try:
            return converted(json.loads(key), wanted, path)
        except (ValueError, Misfit):
            raise Misfit(path, f"has a key that {misfit.why}") from None


def _record(value: Any, kind: type, path: str) -> Any:
    parameters = inspect.signature(kind).parameters.values()
    required = {each.name for each in parameters if each.default is each.empty}
    fields = _fields(value, kind, parameter_types(kind), required, path)
    return _made(kind, kind, path, **fields)


def _fields(
    value: Any, kind: type, types: Mapping[str, Any], required: abc.Set[str], path: str
) -> dict[str, Any]:
    given = _of(value, dict, path, kind)
    if unknown := sorted(given.keys() - types.keys()):
        raise Misfit(path, f"is {kind.__name__}, which has no `{unknown[0]}`")
    if missing := sorted(required - given.keys()):
        raise Misfit(path, f"is {kind.__name__}, which needs `{missing[0]}`")
    return {name: converted(each, types[name], f"{path}.{name}") for name, each in given.items()}


def _made(make: Callable[..., Any], kind: type, path: str, *args: Any, **fields: Any) -> Any:
    """What user code makes of it, which may refuse."""
    try:
        return make(*args, **fields)
    except (TypeError, ValueError) as error:
        raise Misfit(path, f"makes no {kind.__name__}: {error}") from error


def _by_pydantic(value: Any, wanted: Any, path: str) -> Any:
    try:
        from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - few steps have it
    except ImportError:  # a class that is only prepared for it
        return value
    try:
        return TypeAdapter(wanted).validate_json(json.dumps(value, default=_revealed))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        inside = "".join(f"[{e}]" if isinstance(e, int) else f".{e}" for e in first["loc"])
        why = f"makes no {_name(wanted)}: {first['msg']}"
        raise Misfit(f"{path}{inside}", why) from None


def _revealed(secret: Any) -> str:
    """Of what hides its value, for pydantic's own types that hide it."""
    value: str = secret.get_secret_value()
    return value


def _of(value: Any, json_type: type, path: str, kind: type) -> Any:
    if not isinstance(value, json_type):
        raise _not(kind, value, path)
    return value


def _not(kind: type, value: Any, path: str) -> Misfit:
    return Misfit(path, f"is {_name(kind)}, not {type(value).__name__}")


def _name(annotation: Any) -> str:
    if annotation is NoneType or typing.get_origin(annotation) is not None:
        return "None" if annotation is NoneType else str(annotation).replace("typing.", "")
    return getattr(annotation, "__name__", str(annotation))
