"""The outbox: an append-only file of frames that outlives the process which wrote them.

Each record is a length, a CRC32 and a frame. A crash can only leave a torn last record: readers
stop before it and the next writer cuts it off.
"""

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from hansard.formats.frames import MAX_FRAME_BYTES, Frame, FrameError

MAGIC = b"HNSDOBX1"
START = len(MAGIC)
"""The offset of the first record."""

_RECORD = struct.Struct("<II")  # frame bytes, CRC32 of the frame


class Outbox:
    """The single writer of an outbox file; opening it cuts off a torn tail.

    Raises FrameError if the file exists and is not an outbox.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._end = self._recover(path)
        except BaseException:
            os.close(self._file)
            raise

    @property
    def end(self) -> int:
        """The offset after the last record."""
        return self._end

    def append(self, frame: Frame) -> int:
        """Add a frame; it survives the death of this process. Returns the offset after it."""
        body = frame.to_bytes()
        record = _RECORD.pack(len(body), zlib.crc32(body)) + body
        try:
            _write_all(self._file, record, self._end)
        except OSError:
            os.ftruncate(self._file, self._end)  # a full disk must not leave half a record
            raise
        self._end += len(record)
        return self._end

    def sync(self) -> None:
        """Make everything appended survive a loss of power."""
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def __enter__(self) -> "Outbox":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _recover(self, path: Path) -> int:
        if os.fstat(self._file).st_size < START:
            os.ftruncate(self._file, 0)
            _write_all(self._file, MAGIC, 0)
            return START
        end = START
        for _, end in read_from(path):  # noqa: B007 - the last offset is the answer
            pass
        os.ftruncate(self._file, end)
        return end


def read_from(path: Path, offset: int = START) -> Iterator[tuple[Frame, int]]:
    """The whole frames from ``offset`` on, each with the offset after it; ends at a torn tail.

    A reader may run while the writer appends, or before its first bytes are there. Raises
    FrameError if the file is no outbox.
    """
    with path.open("rb") as file:
        mark = file.read(START)
        if not MAGIC.startswith(mark):
            raise FrameError("the file is not an outbox")
        if len(mark) < START:
            return
        file.seek(offset)
        while (frame := _next_frame(file.read(_RECORD.size), file.read)) is not None:
            yield frame, file.tell()


def _next_frame(header: bytes, read: Callable[[int], bytes]) -> Frame | None:
    if len(header) < _RECORD.size:
        return None
    size, checksum = _RECORD.unpack(header)
    if not 0 < size <= MAX_FRAME_BYTES:
        return None
    body = read(size)
    if len(body) < size or zlib.crc32(body) != checksum:
        return None
    return Frame.from_bytes(body)


def _write_all(file: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written
