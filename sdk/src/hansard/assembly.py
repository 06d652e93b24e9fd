"""Builds an executor from its parts: classes, checked parameters, weights and filled slots."""

import inspect
from collections.abc import Callable, Mapping
from itertools import count, takewhile
from typing import Any

from hansard.errors import StepError
from hansard.isolation import BundleSpace, install_import_hook
from hansard.parameters import arguments, bind_methods
from hansard.role_check import misfit
from hansard.roles import DatasetLoader, Executor, Model
from hansard.seeding import Seeding
from hansard.slots import Slot, Slots, declared_slots, slot_roles
from hansard.step_file import Part, Step


def assemble(step: Step) -> tuple[Executor, Callable[[], Any]]:
    """The executor with its slots filled, and the call that runs it with checked parameters.

    Raises StepError if parts, parameters or slots do not fit, and what user code raises.
    """
    parts = [step.executor, *step.slots.values()]
    spaces = {part.path: BundleSpace(part.path) for part in parts}
    seeding = Seeding(step.seed)
    install_import_hook(list(spaces.values()), seeding.seed_imported)
    classes = {
        place: _load(spaces[part.path], part)
        for place, part in {"": step.executor, **step.slots}.items()
    }
    seeding.seed_imported()
    for space in spaces.values():
        space.publish()
    _check_slots(classes, step)
    executor = _executor("", classes, step)
    values = arguments(executor.execute, step.executor.parameters, step.executor.entry)
    return executor, lambda: executor.execute(**values)


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


def _check_slots(classes: Mapping[str, Any], step: Step) -> None:
    _check_class(classes[""], (Executor,), step.executor)
    used = set(_used("", classes, step))
    if unknown := sorted(step.slots.keys() - used):
        raise StepError(f"`{step.executor.entry}` has no slot {_listed(unknown)}")


def _used(place: str, classes: Mapping[str, Any], step: Step) -> list[str]:
    """The places that an executor and those in its slots declare and a part fills."""
    found: list[str] = []
    missing: list[str] = []
    for name, slot in declared_slots(classes[place]).items():
        at = f"{place}.{name}".lstrip(".")
        places = _filled(at, slot, step)
        if not (places or slot.optional):
            missing.append(at)
        for each in places:
            _check_class(classes[each], (Model, DatasetLoader, Executor), step.slots[each])
            found += [each, *_used(each, classes, step)]
    if missing:
        part = step.slots[place] if place else step.executor
        raise StepError(f"nothing fills slot {_listed(missing)} of `{part.entry}`")
    return found


def _filled(at: str, slot: Slot[Any] | Slots[Any], step: Step) -> list[str]:
    """The places of what fills a slot: that of the slot, or numbered ones in a slot of many."""
    if at in step.slots or not slot.many:
        return [at] if at in step.slots else []
    return list(takewhile(step.slots.__contains__, (f"{at}.{number}" for number in count())))


def _executor(place: str, classes: Mapping[str, Any], step: Step) -> Executor:
    """The executor at a place with its slots filled, by executors also; `""` is the step's own."""
    executor: Executor = classes[place]()
    for name, slot in declared_slots(type(executor)).items():
        at = f"{place}.{name}".lstrip(".")
        parts = [_build(each, classes, step) for each in _filled(at, slot, step)]
        if slot.many:
            setattr(executor, name, parts)
        elif parts:
            setattr(executor, name, parts[0])
    _check_roles(executor, place)
    return executor


def _build(place: str, classes: Mapping[str, Any], step: Step) -> object:
    part, found = step.slots[place], classes[place]
    if part.weights is not None or part.keep:
        _check_class(found, (Model,), part)
    if issubclass(found, Executor):
        built = _nested(_executor(place, classes, step), part)
    else:
        built = found(**arguments(found, part.parameters, part.entry))
        if part.weights is not None:
            built.load(part.weights)
    bind_methods(built, part.methods, part.entry)
    return built


def _nested(executor: Executor, part: Part) -> Executor:
    """An executor in a slot: for each parameter that a call leaves out, it gets what the run gave.

    The call is the outer executor's own, so what it passes goes before.
    """
    execute = executor.execute
    values = arguments(execute, part.parameters, part.entry)
    signature = inspect.signature(execute)

    def with_given(*args: Any, **kwargs: Any) -> Mapping[str, Any] | None:
        passed = signature.bind_partial(*args, **kwargs).arguments.keys() | kwargs.keys()
        given = {name: value for name, value in values.items() if name not in passed}
        return execute(*args, **kwargs, **given)

    vars(executor)["execute"] = with_given
    return executor


def _check_roles(executor: Executor, place: str) -> None:
    """What fills a slot must have the methods of its roles, where a role can tell."""
    try:
        asked = slot_roles(type(executor))
    except NameError:
        return  # roles imported for type checkers only
    for name, slot in declared_slots(type(executor)).items():
        held = getattr(executor, name)
        at = f"{place}.{name}".lstrip(".")
        fillers = {f"{at}.{n}": each for n, each in enumerate(held)} if slot.many else {at: held}
        for each, filler in fillers.items():
            _check_filler(each, filler, asked[name])


def _check_filler(at: str, filler: object, roles: tuple[Any, ...]) -> None:
    if filler is None:
        return
    for role in roles:
        if why := misfit(filler, role):
            asks = f"slot `{at}` asks for {getattr(role, '__name__', role)}"
            raise StepError(f"{asks}, and `{type(filler).__name__}` {why}")


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
