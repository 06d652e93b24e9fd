"""Which part of a run goes where: the places in an executor's slots, and in those of its parts.

A place is `model`, `loaders.0` in a slot of many, or `trainer.model` in the slot of an executor
that itself fills a slot.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from domain.errors import Invalid

MAX_PARTS = 100


@dataclass(frozen=True, slots=True)
class Slot:
    """What an executor asks for: one part or many, that play all of the roles."""

    roles: tuple[str, ...]
    many: bool
    optional: bool


@dataclass(frozen=True, slots=True)
class Filling:
    """A part of a run: its place, where the request has it, and in which slot of whose."""

    place: str
    asked: str
    slot: str
    owner: str  # where the request has the executor of the slot; empty for the run's own


def slots_of(signature: Mapping[str, Any]) -> dict[str, Slot]:
    """The slots of an executor's signature; none of what is no executor."""
    return {
        name: Slot(tuple(slot["roles"]), slot["many"], slot["optional"])
        for name, slot in signature["slots"].items()
    }


def fillings(
    slots: Mapping[str, Slot],
    asked: Collection[str],
    slots_in: Callable[[str], Mapping[str, Slot]],
) -> tuple[list[Filling], list[Invalid]]:
    """Every part at its place, in the order in which slots are declared, and what is refused.

    A slot of many takes one part under its own name, or parts numbered from 0. `slots_in` tells
    the slots of a part by the name that the request has for it. Refused is a part without a slot,
    and a slot that is empty and should not be.
    """
    found: list[Filling] = []
    empty: dict[str, Slot] = {}
    for filling, slot in _fillings("", "", slots, asked, slots_in):
        if filling.asked in asked:
            found.append(filling)
        else:
            empty[filling.place] = slot
    refused = [
        Invalid(f"there is no slot `{name}`{_hint(name)}", field=f"slots.{name}")
        for name in sorted({*asked} - {filling.asked for filling in found})
    ]
    for place, slot in empty.items():
        detail = f"slot `{place}` ({' and '.join(slot.roles)}) is empty"
        refused.append(Invalid(detail, field=f"slots.{place}"))
    return found, refused


def _fillings(
    place: str,
    owner: str,
    slots: Mapping[str, Slot],
    asked: Collection[str],
    slots_in: Callable[[str], Mapping[str, Slot]],
) -> Iterator[tuple[Filling, Slot]]:
    """Those that are asked for, and the place of each slot that is empty and should not be."""
    for name, slot in slots.items():
        at, given = _inside(place, name), _inside(owner, name)
        places = list(_places(at, given, slot, asked))
        for each, part in places:
            yield Filling(each, part, name, owner), slot
            yield from _fillings(each, part, slots_in(part), asked, slots_in)
        if not (places or slot.many or slot.optional):
            yield Filling(at, given, name, owner), slot


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _places(
    place: str, given: str, slot: Slot, asked: Collection[str]
) -> Iterator[tuple[str, str]]:
    """The places in one slot, each with the name that the request has for it."""
    if given in asked:
        yield (f"{place}.0" if slot.many else place), given
    elif slot.many:
        for number in count():
            if f"{given}.{number}" not in asked:
                return
            yield f"{place}.{number}", f"{given}.{number}"


def _hint(name: str) -> str:
    slot, _, number = name.rpartition(".")
    if not number.isdecimal():
        return ""
    return f": `{slot}` takes no list, or its parts are not numbered from 0 without gaps"
