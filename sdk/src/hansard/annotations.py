"""What the annotations of functions and classes mean at runtime, as far as they can be resolved."""

import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import InitVar, is_dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

_WRAPPERS = ("Annotated", "Required", "NotRequired", "ReadOnly", "Final", "ClassVar")


def parameter_types(function: Callable[..., Any]) -> dict[str, Any]:
    """By parameter its annotation; what cannot be resolved stays text, what has none is `Any`.

    >>> def train(epochs: "int", data, rate: float = 0.1): ...
    >>> parameter_types(train)
    {'epochs': <class 'int'>, 'data': typing.Any, 'rate': <class 'float'>}
    """
    owner = function if isinstance(function, type) else None
    fields = field_types(owner) if owner is not None and is_dataclass(owner) else {}
    scope, local = _scope(function), vars(owner) if owner is not None else {}
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        raw = Any if parameter.annotation is parameter.empty else parameter.annotation
        found[name] = fields[name] if name in fields else _resolved(raw, scope, local)
    return found


def field_types(owner: type) -> dict[str, Any]:
    """The annotations of a class and its bases by name."""
    found: dict[str, Any] = {}
    for base in reversed(owner.__mro__):
        scope = _scope_of_class(base)
        for name, raw in inspect.get_annotations(base).items():
            found[name] = _resolved(raw, scope, vars(base))
    return found


def bare(annotation: Any) -> Any:
    """The annotation without what only says more about it: `Annotated`, `Required`, `NewType`.

    >>> bare(typing.Annotated[int, "at least 1"])
    <class 'int'>
    """
    while True:
        origin = typing.get_origin(annotation)
        if getattr(annotation, "__metadata__", None) is not None:
            annotation = annotation.__origin__
        elif getattr(origin, "_name", None) in _WRAPPERS:
            annotation = typing.get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):  # a NewType
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif isinstance(annotation, InitVar):
            annotation = annotation.type
        else:
            return annotation


def _scope(function: Callable[..., Any]) -> Mapping[str, Any]:
    """The module in which a function, or the constructor of a class, was written."""
    if isinstance(function, type):
        name = "__init__" if "__init__" in _written(function) else "__new__"
        function = getattr(function, name)
    while isinstance(function, partial):
        function = function.func
    function = inspect.unwrap(getattr(function, "__func__", function))
    return getattr(function, "__globals__", {})


def _written(owner: type) -> set[str]:
    return {name for base in owner.__mro__[:-1] for name in vars(base)}


def _scope_of_class(owner: type) -> Mapping[str, Any]:
    """Its functions know the module; two bundles may have a module of its name."""
    for each in vars(owner).values():
        scope: Mapping[str, Any] = getattr(each, "__globals__", {})
        if scope.get("__name__") == owner.__module__:
            return scope
    return vars(sys.modules.get(owner.__module__, SimpleNamespace()))


def _resolved(raw: Any, scope: Mapping[str, Any], local: Mapping[str, Any]) -> Any:
    """What an annotation means, also one in quotes."""
    holder = SimpleNamespace(__annotations__={"it": raw})
    try:
        return typing.get_type_hints(holder, dict(scope), dict(local), include_extras=True)["it"]
    except Exception:  # noqa: BLE001 - text of user code; one for type checkers only names nothing
        return raw
