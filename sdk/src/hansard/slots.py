"""Slots: the places of an Executor that a run fills with a Model, a DatasetLoader or an Executor.

What fills them has a place: `model`, `loaders.0` in a slot of many, `trainer.model` in the slot of
an Executor that itself fills one.
"""

import re
import types
import typing
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, TypeVarTuple, overload

Role = TypeVar("Role")
Roles = TypeVarTuple("Roles")

_SLOT_TEXT = re.compile(
    r"(?P<before>None\s*\|\s*)?(?P<many>list\[)?(\w+\.)*(?P<kind>Slots?)\[.*\]"
    r"(?P<after>\s*\|\s*None)?",
    re.DOTALL,
)


class Slot(Generic[Role]):
    """``model: Slot[Trainable]`` on an Executor: a run fills it before ``execute`` is called.

    ``spare: Slot[Trainable] | None`` may stay empty, and is None then. Type checkers see the role
    on the instance. In a script, assign it: ``executor.model = Net()``.
    """

    many = False

    def __init__(self, name: str, *, optional: bool = False) -> None:
        self.name = name
        self.optional = optional

    @overload
    def __get__(self, instance: None, owner: type) -> "Slot[Role]": ...
    @overload
    def __get__(self, instance: object, owner: type) -> Role: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        if instance is None:
            return self
        if self.optional:
            return instance.__dict__.get(self.name)
        try:
            return instance.__dict__[self.name]
        except KeyError:
            raise AttributeError(
                f"slot `{self.name}` of {owner.__name__} is empty: a run fills it, "
                f"in a script assign it before calling execute"
            ) from None

    def __set__(self, instance: object, value: Role) -> None:
        instance.__dict__[self.name] = value


class Slots(Generic[Role]):
    """``loaders: Slots[SupervisedData]`` holds any number of parts: a list, empty if none is given.

    ``list[Slot[SupervisedData]]`` says the same. In a script, assign a list:
    ``executor.loaders = [Digits(), Letters()]``.
    """

    many = True
    optional = True

    def __init__(self, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "Slots[Role]": ...
    @overload
    def __get__(self, instance: object, owner: type) -> list[Role]: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        if instance is None:
            return self
        return instance.__dict__.setdefault(self.name, [])

    def __set__(self, instance: object, value: list[Role]) -> None:
        instance.__dict__[self.name] = value


class All(Generic[*Roles]):
    """``model: Slot[All[Trainable, Predictor]]``: what fills the slot plays all of these roles.

    Type checkers know no intersections and let every attribute pass; a Protocol that derives from
    the roles is checked in full.
    """

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


def install_slots(owner: type) -> None:
    """Turn the slot annotations of a class, which may still be text, into descriptors."""
    for name, annotation in owner.__annotations__.items():
        found = _of_text(annotation) if isinstance(annotation, str) else _slot_in(annotation)[0]
        if found is not None:
            many, optional = found
            setattr(owner, name, Slots(name) if many else Slot(name, optional=optional))


_Kind: TypeAlias = tuple[bool, bool]
"""Whether a slot holds many, and whether it may stay empty."""


def _of_text(annotation: str) -> _Kind | None:
    found = _SLOT_TEXT.fullmatch(annotation.strip())
    if found is None:
        return None
    many = bool(found["many"]) or found["kind"] == "Slots"
    return many, bool(found["before"] or found["after"])


def _slot_in(annotation: Any) -> tuple[_Kind | None, Any]:
    """What kind of slot an annotation declares, if any, and the role or roles that it asks for."""
    optional, listed = False, False
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = [each for each in typing.get_args(annotation) if each is not type(None)]
        annotation, optional = members[0], len(members) == 1
    if typing.get_origin(annotation) is list:
        [annotation], listed = typing.get_args(annotation), True
    origin = typing.get_origin(annotation)
    if origin not in (Slot, Slots):
        return None, None
    return (listed or origin is Slots, optional), typing.get_args(annotation)[0]


def declared_slots(owner: type) -> dict[str, Slot[Any] | Slots[Any]]:
    """The slots of an Executor class, inherited ones first, in the order they were declared."""
    return {
        name: value
        for each in reversed(owner.__mro__)
        for name, value in vars(each).items()
        if isinstance(value, Slot | Slots)
    }


def slot_names(owner: type) -> tuple[str, ...]:
    """The names of the slots of an Executor class, in the order of `declared_slots`."""
    return tuple(declared_slots(owner))


def slot_roles(owner: type) -> dict[str, tuple[Any, ...]]:
    """The roles that each slot asks for. Raises NameError if an annotation names nothing known."""
    hints = typing.get_type_hints(owner)
    return {name: _all_of(_slot_in(hints[name])[1]) for name in slot_names(owner)}


def _all_of(role: Any) -> tuple[Any, ...]:
    return typing.get_args(role) if typing.get_origin(role) is All else (role,)


def part_at(executor: object, place: str) -> Any:
    """What is at a place of an executor now. Raises ValueError if nothing is."""
    found: Any = executor
    try:
        for step in place.split("."):
            found = found[int(step)] if step.isdecimal() else getattr(found, step)
    except (AttributeError, LookupError, TypeError):
        found = None
    if found is None:
        raise ValueError(f"nothing is in slot `{place}` any more")
    return found
