"""Reads the opcodes of a pickle with as much of their arguments as matters."""

import pickletools
import re

from infra.artifacts.inspection.cursor import Cursor
from infra.artifacts.inspection.pickle_opcodes import OPCODES, PREFIX_BYTES, Opcode
from infra.artifacts.inspection.source import HEAD_BYTES, Source

_OPCODE_UNITS = 160
_MAX_NAME_BYTES = 1024
_NAME = re.compile(r"[^\s\x00-\x1f\x7f]+")
_NUMBER = re.compile(rb"\0|\s*[+-]?(?:\.?[0-9]|inf|nan)", re.IGNORECASE)


class Broken(Exception):
    """No unpickler gets further than this."""


class Dangerous(Exception):
    """An unpickler would have imported or called something by now."""


class PickleStream:
    """The opcodes one by one. Each method raises Broken, Dangerous, EndOfFile and Refused."""

    def __init__(self, source: Source) -> None:
        self._cursor = Cursor(source)
        self._budget = source.budget
        self._frame_end = 0

    def next(self) -> tuple[Opcode, bytes]:
        """The next opcode, and the argument if it has one: empty where only its length matters."""
        start = self._cursor.at
        opcode = OPCODES.get(self._cursor.byte())
        if opcode is None:
            raise Broken
        self._budget.spend(_OPCODE_UNITS)
        argument = self._argument(opcode)
        is_frame = opcode.name == "FRAME"
        crossed = start < self._frame_end < self._cursor.at
        if crossed or (is_frame and start < self._frame_end):
            raise Dangerous  # from here on unpicklers differ in what they read
        if is_frame:
            self._frame_end = self._cursor.at + int.from_bytes(argument, "little")
        return opcode, argument

    def is_at_end(self) -> bool:
        """Whether the file ends here."""
        return not self._cursor.look(1)

    def _argument(self, opcode: Opcode) -> bytes:
        """The argument, as far as it matters."""
        length = opcode.argument
        if length is None:
            return b""
        if length == pickletools.UP_TO_NEWLINE:
            return self._line(opcode.name)
        if length >= 0:
            return self._cursor.take(length)
        prefix = self._cursor.take(PREFIX_BYTES[length])
        signed = length == pickletools.TAKEN_FROM_ARGUMENT4
        size = int.from_bytes(prefix, "little", signed=signed)
        if size < 0:
            raise Broken
        self._cursor.at += size
        return b""

    def _line(self, name: str) -> bytes:
        self._check_frame()
        start = self._cursor.look(_MAX_NAME_BYTES)
        if name in ("INT", "LONG", "FLOAT") and not _NUMBER.match(start):
            raise Broken
        if name == "STRING" and start[:1] not in (b"'", b'"'):
            raise Broken
        if name == "PERSID":  # an unpickler refuses it unless it was made for it
            raise Broken
        if name in ("GLOBAL", "INST"):
            return self._name() + b" " + self._name()
        if name in ("GET", "PUT"):
            return self._short_line()
        self._cursor.line(0)
        return b""

    def _check_frame(self) -> None:
        """What is left of a frame must hold the line that begins in it."""
        left = self._frame_end - self._cursor.at
        if left > 0 and b"\n" not in self._cursor.look(min(left, HEAD_BYTES)):
            raise Dangerous

    def _short_line(self) -> bytes:
        start = self._cursor.look(_MAX_NAME_BYTES)
        if b"\n" in start:
            return self._cursor.line(_MAX_NAME_BYTES)
        if len(start) == _MAX_NAME_BYTES:
            raise Broken
        self._cursor.at += len(start)
        return start[:-1]  # the last byte passes for a newline in Python's own unpickler

    def _name(self) -> bytes:
        self._check_frame()
        line = self._short_line()
        try:
            found = _NAME.fullmatch(line.decode())
        except UnicodeDecodeError:
            found = None
        if not found:
            raise Broken  # no module or attribute that could be imported
        return line
