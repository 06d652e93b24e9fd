"""Gives functions of user code the values of a run's forms, as their annotations mean them."""

import inspect
import typing
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hansard.annotations import bare, field_types, parameter_types
from hansard.conversion import Misfit, converted
from hansard.errors import ParameterError

_JSON_TYPES = {each.__name__: each for each in (bool, int, float, str, list, dict)}


def arguments(
    function: Callable[..., Any], values: Mapping[str, Any], of: str, *, partly: bool = False
) -> dict[str, Any]:
    """The values by parameter, each as its annotation means it; a default may be anything.

    Raises ParameterError, which says `of` what; also where a value is missing, unless others are to
    be given with a call.
    """
    parameters = inspect.signature(function).parameters.values()
    known = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    further = next((p.name for p in parameters if p.kind is p.VAR_KEYWORD), None)
    if (unknown := sorted(values.keys() - known.keys())) and further is None:
        raise ParameterError(f"`{of}` has no parameter {_listed(unknown)}")
    required = [name for name, each in known.items() if each.default is each.empty]
    missing = [name for name in required if name not in values]
    if missing and not partly:
        raise ParameterError(f"`{of}` needs a value for {_listed(missing)}")
    types = parameter_types(function)
    types |= _further_types(types.get(further or "", Any), unknown)
    defaults = {name: each.default for name, each in known.items()}
    return {
        name: value
        if _is(value, defaults.get(name, inspect.Parameter.empty))
        else _value(name, value, types[name], of)
        for name, value in values.items()
    }


def bind_methods(part: object, methods: Mapping[str, Mapping[str, Any]], of: str) -> None:
    """Let methods of an object have values for what a call by the role leaves out.

    A copy of the object, pickled or not, has its own. Raises ParameterError.
    """
    for name, values in methods.items():
        method = getattr(part, name, None)
        if not callable(method):
            raise ParameterError(f"`{of}` has no method `{name}`")
        given = arguments(method, values, f"{of}.{name}", partly=True)
        if not hasattr(part, "__dict__"):
            raise ParameterError(f"`{of}` has only slots: its `{name}` cannot be given values")
        vars(part)[name] = partial(method, **given)


def _is(value: Any, default: Any) -> bool:
    """The record has the defaults as well, such as None for what is annotated as text."""
    return type(value) is type(default) and bool(value == default)


def _further_types(annotation: Any, names: list[str]) -> dict[str, Any]:
    """The types of keywords that `**options: Unpack[Options]`, or `**options: int`, takes."""
    if getattr(typing.get_origin(annotation), "_name", None) != "Unpack":
        return dict.fromkeys(names, annotation)
    options = typing.get_origin(typing.get_args(annotation)[0]) or typing.get_args(annotation)[0]
    known = field_types(options)
    return {name: known.get(name, Any) for name in names}


def _value(name: str, value: Any, annotation: Any, of: str) -> Any:
    annotation = bare(annotation)
    if isinstance(annotation, str):  # it names what cannot be found
        annotation = _JSON_TYPES.get(annotation.partition("[")[0], Any)
    try:
        return converted(value, annotation)
    except Misfit as misfit:
        raise ParameterError(f"parameter `{name}{misfit.path}` of `{of}` {misfit.why}") from misfit


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
