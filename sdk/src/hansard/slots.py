"""Slots: the places of an Executor that a run fills with a Model or a DatasetLoader."""

import re
import typing
from typing import Any, Generic, TypeVar, overload

Role = TypeVar("Role")

_SLOT_TEXT = re.compile(r"(\w+\.)*Slot\[.*\]", re.DOTALL)


class Slot(Generic[Role]):
    """``model: Slot[Trainable]`` on an Executor: a run fills it before ``execute`` is called.

    Type checkers see the role on the instance. In a script, assign it: ``executor.model = Net()``.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "Slot[Role]": ...
    @overload
    def __get__(self, instance: object, owner: type) -> Role: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        if instance is None:
            return self
        try:
            return instance.__dict__[self.name]
        except KeyError:
            raise AttributeError(
                f"slot `{self.name}` of {owner.__name__} is empty: a run fills it, "
                f"in a script assign it before calling execute"
            ) from None

    def __set__(self, instance: object, value: Role) -> None:
        instance.__dict__[self.name] = value


def install_slots(owner: type) -> None:
    """Turn the slot annotations of a class, which may still be text, into descriptors."""
    for name, annotation in owner.__annotations__.items():
        text = isinstance(annotation, str) and _SLOT_TEXT.fullmatch(annotation.strip())
        if text or getattr(annotation, "__origin__", None) is Slot:
            setattr(owner, name, Slot(name))


def slot_names(owner: type) -> tuple[str, ...]:
    """The slots of an Executor class, inherited ones first, in the order they were declared."""
    return tuple(
        dict.fromkeys(
            name
            for each in reversed(owner.__mro__)
            for name, value in vars(each).items()
            if isinstance(value, Slot)
        )
    )


def slot_roles(owner: type) -> dict[str, Any]:
    """The role of each slot. Raises NameError if an annotation names something unknown."""
    hints = typing.get_type_hints(owner)
    return {name: typing.get_args(hints[name])[0] for name in slot_names(owner)}
