"""Reading files under inspection, and members of archives, within bounds of bytes and work."""

import zlib
from functools import cached_property
from typing import Protocol

HEAD_BYTES = 64 << 10
PLAIN_BYTES = (8 << 20) + (512 << 10)
"""Bytes read of a file that is no archive: the longest header, and samples of the rest."""
ARCHIVE_BYTES = 64 << 20
"""Bytes read and inflated of one with archives in it."""
REACH = 16 << 20
"""How far into a compressed stream anything is looked for."""

_INPUT_BYTES = 32 << 10
_GZIP = 31  # the zlib code for a gzip header and trailer
_GZIP_MAGIC = b"\x1f\x8b"

UNKNOWN = "unknown"


class Refused(Exception):
    """The file is not accepted: a sentence for the user, and what the file seems to be."""

    def __init__(self, reason: str, format_: str = UNKNOWN) -> None:
        super().__init__(reason)
        self.reason = reason
        self.format = format_


class NotRecognised(Refused):
    """The file is none of the accepted formats."""

    def __init__(self) -> None:
        super().__init__(
            "format not accepted: save models as safetensors, ONNX or GGUF, tables as Parquet or"
            " CSV, arrays as .npy, and text as UTF-8"
        )


class Reader(Protocol):
    """One file, decoded on demand."""

    @property
    def size(self) -> int:
        """Bytes of the file."""

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on, `length` of them or up to the end."""


class Memory:
    """A file whose content is at hand."""

    def __init__(self, content: bytes) -> None:
        self.size = len(content)
        self._content = content

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on."""
        return self._content[offset : offset + length]


class Budget:
    """The work that one inspection may do; a unit is about the time to read a byte."""

    def __init__(self) -> None:
        self._left = PLAIN_BYTES
        self._archive = False

    @property
    def left(self) -> int:
        """Units not yet spent."""
        return self._left

    def allow_archive(self) -> None:
        """Archives may cost more than plain files, once."""
        if not self._archive:
            self._archive = True
            self._left += ARCHIVE_BYTES - PLAIN_BYTES

    def spend(self, units: int) -> None:
        """Raises Refused when nothing is left."""
        self._left -= units
        if self._left < 0:
            raise Refused(
                "the file is too intricate to be checked: upload archives unpacked, and data in"
                " a simpler format"
            )


class Source:
    """A file or a member of an archive, read within a budget.

    `seekable` says that any place costs the same to read: not so inside a compressed stream.
    """

    def __init__(
        self,
        reader: Reader,
        budget: Budget,
        *,
        depth: int = 0,
        seekable: bool = True,
        head_bytes: int = HEAD_BYTES,
    ) -> None:
        self.reader = reader
        self.head_bytes = head_bytes
        self.budget = budget
        self.depth = depth
        self.seekable = seekable

    @property
    def size(self) -> int:
        """Bytes of the file. Raises Refused where only unpacking all of it would tell."""
        return self.reader.size

    @cached_property
    def head(self) -> bytes:
        """The beginning."""
        return self.peek(0, self.head_bytes)

    @property
    def is_whole(self) -> bool:
        """Whether the head is all there is."""
        if len(self.head) < self.head_bytes:
            return True
        return self.seekable and self.size == len(self.head)

    def peek(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes: fewer at the end only. Raises Refused."""
        if not self.seekable:  # what is inflated is paid for there
            return self.reader.read(offset, length)
        length = max(0, min(length, self.size - offset))
        self.budget.spend(length)
        data = self.reader.read(offset, length)
        if len(data) != length:
            raise Refused("the file ends before it should: upload it again")
        return data

    def read(self, offset: int, length: int) -> bytes:
        """Exactly these bytes. Raises Refused if there are fewer."""
        end = offset + length
        if offset >= 0 and end <= len(self.head):
            return self.head[offset:end]
        data = self.peek(offset, length) if offset >= 0 else b""
        if len(data) != length:
            raise Refused("the file ends before it should: upload it again")
        return data


class Window:
    """A stretch of another file, as it is there. The budget is that of whoever reads it."""

    def __init__(self, source: Source, start: int, size: int) -> None:
        self.size = size
        self._reader = source.reader
        self._start = start

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on."""
        return self._reader.read(self._start + offset, max(0, min(length, self.size - offset)))


class Inflated:
    """A compressed stretch of another file, inflated as far as somebody reads, and kept."""

    def __init__(self, source: Source, start: int, end: int, size: int | None = None) -> None:
        """A raw deflate stream of `size` bytes inflated, or gzip members where None."""
        self._source = source
        self._at = start
        self._end = end
        self._size = size
        self._gzip = size is None
        self._inflater = self._fresh()
        self._pending = b""
        self._content = bytearray()
        self._ended = False

    @property
    def size(self) -> int:
        """Bytes inflated. Raises Refused if that is not known without inflating a lot."""
        if self._size is None:
            self._inflate(REACH + 1)
            if not self._ended:
                raise Refused(
                    "what is in the compressed file is too large to be checked: upload it"
                    " uncompressed, it is compressed where it is kept"
                )
            self._size = len(self._content)
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on. Raises Refused for a damaged stream."""
        self._inflate(offset + length if self._size is None else min(offset + length, self._size))
        return bytes(self._content[offset : offset + length])

    def _fresh(self) -> "zlib._Decompress":
        return zlib.decompressobj(_GZIP if self._gzip else -zlib.MAX_WBITS)

    def _inflate(self, wanted: int) -> None:
        while len(self._content) < wanted and not self._ended:
            if self._inflater.eof:
                self._continue()
                continue
            if not self._pending:
                self._pending = self._input()
            try:
                out = self._inflater.decompress(self._pending, wanted - len(self._content))
            except zlib.error:
                raise Refused("the compressed data is damaged: pack it again") from None
            self._pending = self._inflater.unconsumed_tail
            self._source.budget.spend(len(out))
            self._content += out

    def _input(self) -> bytes:
        length = min(_INPUT_BYTES, self._end - self._at)
        if length <= 0:
            raise Refused("the compressed data is cut off: pack it again")
        data = self._source.peek(self._at, length)
        self._at += len(data)
        return data

    def _continue(self) -> None:
        """A gzip file may have several members; anything else after the end is not looked at."""
        rest = self._inflater.unused_data
        if self._gzip and len(rest) < len(_GZIP_MAGIC) and self._at < self._end:
            rest += self._input()
        if not self._gzip or not rest:
            self._ended = True
        elif rest.startswith(_GZIP_MAGIC):
            self._inflater, self._pending = self._fresh(), rest
        else:
            raise Refused("something follows the compressed data: pack it again")
