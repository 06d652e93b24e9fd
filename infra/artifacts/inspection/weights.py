"""Weights: safetensors, and GGUF, whose header must describe the file that it is in."""

import struct
from math import prod

from hansard.formats.safetensors import (
    MAX_HEADER_BYTES,
    FormatError,
    header_length,
    parse_header,
)
from infra.artifacts.inspection.cursor import Cursor, EndOfFile
from infra.artifacts.inspection.source import Refused, Source

_PARSING_UNITS = 6  # what parsing a byte costs more than reading it
_PREFIX_BYTES = 8

_GGUF_VERSIONS = (2, 3)
_MAX_ENTRIES = 100_000
_MAX_DIMENSIONS = 4
_MAX_NAME_BYTES = 1024
_MAX_NESTING = 3
_ALIGNMENT_KEY = b"general.alignment"
_DEFAULT_ALIGNMENT = 32
_STRING, _ARRAY = 8, 9
_UINT32 = 4
_VALUE_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_ENTRY_UNITS = 256
_ELEMENT_UNITS = 40
_CHUNK_BYTES = 256 << 10

_BLOCKS: dict[int, tuple[int, int]] = {  # elements and bytes of a block, by type of tensor
    0: (1, 4),
    1: (1, 2),
    24: (1, 1),
    25: (1, 2),
    26: (1, 4),
    27: (1, 8),
    28: (1, 8),
    30: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    10: (256, 84),
    11: (256, 110),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
    15: (256, 292),
    16: (256, 66),
    17: (256, 74),
    18: (256, 98),
    19: (256, 50),
    20: (32, 18),
    21: (256, 110),
    22: (256, 82),
    23: (256, 136),
    29: (256, 56),
    34: (256, 54),
    35: (256, 66),
    39: (32, 17),
}


def is_safetensors(head: bytes) -> bool:
    """Whether this is how a safetensors file begins."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= MAX_HEADER_BYTES


def safetensors(source: Source) -> str:
    """Raises Refused unless the tensors tile the file."""
    try:
        length = _PREFIX_BYTES + header_length(source.head, source.size)
        if source.depth:  # an archive may hold many
            source.budget.spend(_PARSING_UNITS * length)
        parse_header(source.read(0, length), source.size)
    except FormatError as error:
        raise Refused(
            f"{error}: save it again with the safetensors library", "safetensors"
        ) from None
    return "safetensors"


def gguf(source: Source) -> str:
    """Raises Refused unless the tensors that the header tells of are in the file."""
    source.budget.allow_archive()  # vocabularies are large
    try:
        _Gguf(source).check()
    except EndOfFile:
        raise _lies("it ends within its header") from None
    return "gguf"


def _lies(what: str) -> Refused:
    return Refused(f"the GGUF header is wrong: {what}; convert the model again", "gguf")


class _Gguf:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._cursor = Cursor(source, 4)
        self._alignment = _DEFAULT_ALIGNMENT

    def check(self) -> None:
        version, tensors, entries = struct.unpack("<IQQ", self._cursor.take(20))
        if version not in _GGUF_VERSIONS:
            raise _lies("its version is not known")
        if tensors > _MAX_ENTRIES or entries > _MAX_ENTRIES:
            raise _lies("it has too many entries")
        for _ in range(entries):
            self._entry()
        self._tensors(tensors)

    def _entry(self) -> None:
        self._source.budget.spend(_ENTRY_UNITS)
        key = self._text()
        kind = self._uint32()
        if key == _ALIGNMENT_KEY and kind == _UINT32:
            self._alignment = int.from_bytes(self._cursor.look(4), "little")
            if not 1 <= self._alignment <= 1 << 16 or self._alignment & (self._alignment - 1):
                raise _lies("its alignment is not a power of two")
        self._skip(kind, 1, 0)

    def _skip(self, kind: int, count: int, depth: int) -> None:
        """Pass so many values of a kind."""
        if kind == _STRING:
            self._skip_texts(count)
        elif kind == _ARRAY:
            if depth == _MAX_NESTING or count > _MAX_ENTRIES:
                raise _lies("its lists are nested too deep")
            for _ in range(count):
                self._source.budget.spend(_ENTRY_UNITS)
                inner = self._uint32()
                self._skip(inner, self._uint64(), depth + 1)
        elif kind in _VALUE_BYTES:
            self._pass(count * _VALUE_BYTES[kind])
        else:
            raise _lies("it has a value of an unknown type")

    def _skip_texts(self, count: int) -> None:
        """Pass so many texts, a chunk at a time: a vocabulary has hundreds of thousands."""
        while count:
            chunk = self._cursor.look(_CHUNK_BYTES)
            at, done, end = 0, 0, len(chunk) - 8
            while done < count and at <= end:
                at += 8 + int.from_bytes(chunk[at : at + 8], "little")
                done += 1
            if not done:
                raise EndOfFile
            self._source.budget.spend(done * _ELEMENT_UNITS)
            self._pass(at)
            count -= done

    def _tensors(self, count: int) -> None:
        names: set[bytes] = set()
        found = []
        for _ in range(count):
            self._source.budget.spend(_ENTRY_UNITS)
            names.add(self._text())
            found.append(self._tensor())
        if len(names) < count:
            raise _lies("two tensors have one name")
        start = -(-self._cursor.at // self._alignment) * self._alignment
        at = 0
        for offset, size in sorted(found):
            if offset < at or offset % self._alignment:
                raise _lies("its tensors overlap")
            at = offset + size
        if found and start + at > self._source.size:
            raise _lies("its tensors do not fit in the file")

    def _tensor(self) -> tuple[int, int]:
        """Where in the data a tensor is, and its bytes: 0 where the type is a newer one."""
        dimensions = self._uint32()
        if dimensions > _MAX_DIMENSIONS:
            raise _lies("a tensor has too many dimensions")
        shape = struct.unpack(f"<{dimensions}Q", self._cursor.take(8 * dimensions))
        kind, offset = struct.unpack("<IQ", self._cursor.take(12))
        if kind not in _BLOCKS:
            return offset, 0
        elements, size = _BLOCKS[kind]
        total = prod(shape)
        if total % elements:
            raise _lies("a tensor has part of a block")
        return offset, total // elements * size

    def _text(self) -> bytes:
        length = self._uint64()
        if length > _MAX_NAME_BYTES:
            raise _lies("a name is too long")
        return self._cursor.take(length)

    def _uint32(self) -> int:
        return int.from_bytes(self._cursor.take(4), "little")

    def _uint64(self) -> int:
        return int.from_bytes(self._cursor.take(8), "little")

    def _pass(self, length: int) -> None:
        self._cursor.at += length
        if self._cursor.at > self._source.size:
            raise EndOfFile
