"""A place in a file that moves forward, reading little after a jump and more in a row."""

from infra.artifacts.inspection.source import HEAD_BYTES, REACH, Source

_AFTER_JUMP_BYTES = 1 << 10


class EndOfFile(Exception):
    """There is nothing at the place that was to be read."""


class Unreachable(EndOfFile):
    """The place is too far into a compressed stream."""


class Cursor:
    """Reads a source forward from `at`; jumping over bytes costs nothing."""

    def __init__(self, source: Source, at: int = 0) -> None:
        self._source = source
        self._buffer = source.head
        self._base = 0
        self._next_bytes = _AFTER_JUMP_BYTES
        self.at = at

    def byte(self) -> int:
        """The next byte. Raises EndOfFile, Unreachable, Refused."""
        index = self._load()  # first: it may replace the buffer
        value = self._buffer[index]
        self.at += 1
        return value

    def take(self, length: int) -> bytes:
        """The next `length` bytes. Raises EndOfFile, Unreachable, Refused."""
        data = self.look(length)
        if len(data) < length:
            raise EndOfFile
        self.at += length
        return data

    def look(self, length: int) -> bytes:
        """Up to `length` bytes without moving. Raises Unreachable, Refused."""
        index = self.at - self._base
        if index >= 0 and index + length <= len(self._buffer):
            return self._buffer[index : index + length]
        self._check_reach(self.at + length)
        self._fill(self.at, length)
        return self._buffer[:length]

    def line(self, most: int) -> bytes:
        """What comes before the next newline, which is passed; at most `most` bytes of it.

        Raises EndOfFile, Unreachable, Refused.
        """
        start = b""
        while True:
            index = self._load()
            cut = self._buffer.find(b"\n", index)
            end = cut if cut >= 0 else len(self._buffer)
            start += self._buffer[index : min(end, index + most - len(start))]
            self.at += end - index
            if cut >= 0:
                self.at += 1
                return start

    def _load(self) -> int:
        """The index of the next byte in the buffer."""
        index = self.at - self._base
        if not 0 <= index < len(self._buffer):
            self._check_reach(self.at + 1)
            self._fill(self.at, self._next_bytes if index == len(self._buffer) else 1)
            index = 0
            if not self._buffer:
                raise EndOfFile
        return index

    def _fill(self, at: int, least: int) -> None:
        in_a_row = self._base <= at <= self._base + len(self._buffer)
        self._next_bytes = min(2 * self._next_bytes, HEAD_BYTES) if in_a_row else _AFTER_JUMP_BYTES
        self._buffer = self._source.peek(at, max(least, self._next_bytes))
        self._base = at

    def _check_reach(self, end: int) -> None:
        if end > REACH and not self._source.seekable:
            raise Unreachable
