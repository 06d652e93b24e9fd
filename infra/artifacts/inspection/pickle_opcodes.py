"""What each opcode of a pickle does to the stack, from the standard library's own description."""

import pickletools
from dataclasses import dataclass
from enum import Enum, auto


class Value(Enum):
    """What is known of an object on the stack."""

    SCALAR = auto()  # None, a truth value or a number
    DATA = auto()  # text, bytes or a container
    LIVE = auto()  # imported, or what a call answered
    MARK = auto()


_SCALARS = frozenset({"None", "bool", "int", "int_or_bool", "float"})


@dataclass(frozen=True, slots=True)
class Opcode:
    name: str
    argument: int | None  # bytes, or how to find out: pickletools' codes
    marked: bool  # takes everything down to the mark
    takes: int  # below the mark, or at all
    gives: tuple[Value, ...]


def _opcode(info: pickletools.OpcodeInfo) -> Opcode:
    before = [each.name for each in info.stack_before]
    marked = "mark" in before
    gives = tuple(
        Value.SCALAR if each.name in _SCALARS else Value.DATA for each in info.stack_after
    )
    takes = before.index("mark") if marked else len(before)
    argument = info.arg.n if info.arg is not None else None
    return Opcode(info.name, argument, marked, takes, gives)


OPCODES = {ord(info.code): _opcode(info) for info in pickletools.opcodes}
PREFIX_BYTES = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
"""Bytes that give the length of an argument, by pickletools' code for it."""
