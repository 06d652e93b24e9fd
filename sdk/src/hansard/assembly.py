"""Builds an executor from its parts: classes, checked parameters, weights and filled slots."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from hansard.errors import StepError
from hansard.isolation import BundleSpace, install_import_hook
from hansard.roles import DatasetLoader, Executor, Model
from hansard.seeding import Seeding
from hansard.slots import slot_names, slot_roles
from hansard.step_file import Part, Step

_JSON_TYPES = {each.__name__: each for each in (bool, int, float, str, list, dict)}


def assemble(step: Step) -> tuple[Executor, Callable[[], Any]]:
    """The executor with its slots filled, and the call that runs it with checked parameters.

    Raises StepError if parts, parameters or slots do not fit, and what user code raises.
    """
    parts = [step.executor, *step.slots.values()]
    spaces = {part.path: BundleSpace(part.path) for part in parts}
    seeding = Seeding(step.seed)
    install_import_hook(list(spaces.values()), seeding.seed_imported)
    classes = [_load(spaces[part.path], part) for part in parts]
    seeding.seed_imported()
    for space in spaces.values():
        space.publish()
    executor_class, *slot_classes = classes
    _check_class(executor_class, (Executor,), step.executor)
    _check_slots(executor_class, step)
    executor: Executor = executor_class()
    for (name, part), each in zip(step.slots.items(), slot_classes, strict=True):
        setattr(executor, name, _build(each, part))
    _check_roles(executor)
    check_parameters(executor.execute, step.executor)
    return executor, lambda: executor.execute(**step.executor.parameters)


def check_parameters(function: Callable[..., Any], part: Part) -> None:
    """Raises StepError unless the part's parameters can be passed by name; converts nothing."""
    signature = inspect.signature(function)
    known = {
        name: each
        for name, each in signature.parameters.items()
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    }
    takes_any = any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values())
    _check_names(part, known, takes_any=takes_any)
    for name, value in part.parameters.items():
        if name in known:
            _check_type(part, name, value, known[name].annotation)


def _check_names(part: Part, known: Mapping[str, inspect.Parameter], *, takes_any: bool) -> None:
    unknown = sorted(part.parameters.keys() - known.keys())
    if unknown and not takes_any:
        raise StepError(f"`{part.entry}` has no parameter {_listed(unknown)}")
    missing = [
        name
        for name, each in known.items()
        if each.default is each.empty and name not in part.parameters
    ]
    if missing:
        raise StepError(f"`{part.entry}` needs a value for {_listed(missing)}")


def _check_type(part: Part, name: str, value: object, annotation: object) -> None:
    """Plain JSON types only; an int will do for a float, a bool is no number."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    wanted = _JSON_TYPES.get(text.partition("[")[0])
    if wanted is None or type(value) is wanted or (wanted is float and type(value) is int):
        return
    raise StepError(
        f"parameter `{name}` of `{part.entry}` is {wanted.__name__}, not {type(value).__name__}"
    )


def _load(space: BundleSpace, part: Part) -> Any:
    try:
        return space.load(part.entry)
    except AttributeError as error:
        if getattr(error, "name", None) != part.entry.partition(":")[2]:
            raise
        raise StepError(f"`{part.entry}` is not in its bundle") from error


def _check_class(found: object, bases: tuple[type, ...], part: Part) -> None:
    if not (isinstance(found, type) and issubclass(found, bases)):
        names = " or ".join(f"hansard.{each.__name__}" for each in bases)
        raise StepError(f"`{part.entry}` does not derive from {names}")


def _check_slots(executor_class: type[Executor], step: Step) -> None:
    declared = set(slot_names(executor_class))
    if missing := sorted(declared - step.slots.keys()):
        raise StepError(f"nothing fills slot {_listed(missing)} of `{step.executor.entry}`")
    if unknown := sorted(step.slots.keys() - declared):
        raise StepError(f"`{step.executor.entry}` has no slot {_listed(unknown)}")


def _build(found: Any, part: Part) -> object:
    _check_class(found, (Model, DatasetLoader), part)
    check_parameters(found, part)
    built = found(**part.parameters)
    if part.weights is not None or part.keep:
        _check_class(found, (Model,), part)
    if part.weights is not None:
        built.load(part.weights)
    return built


def _check_roles(executor: Executor) -> None:
    """What fills a slot must have the methods of its role, where the role can tell."""
    try:
        roles = slot_roles(type(executor))
    except NameError:
        return  # roles imported for type checkers only
    for name, role in roles.items():
        if not getattr(role, "_is_runtime_protocol", isinstance(role, type)):
            continue
        if not isinstance(getattr(executor, name), role):
            filler = type(getattr(executor, name)).__name__
            raise StepError(f"slot `{name}` asks for {role.__name__}, which `{filler}` is not")


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
