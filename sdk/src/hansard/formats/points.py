"""The in-box metric log: fixed records in memory-mapped segments, one writer per process.

A point is in the page cache when ``append`` returns, so it survives SIGKILL of the process; the
record count is stored after the record, so no reader ever sees half of one. Files of a writer:
``keys.<writer>.jsonl`` (a line per key, its number is the key id) and ``points.<writer>.<n>.seg``.
"""

import errno
import json
import mmap
import os
import struct
import threading
import time
import warnings
from pathlib import Path

MAGIC = b"HNSDPTS1"
VERSION = 1
MAX_KEY_CHARS = 250
"""A metric key is one to this many characters, none of them a control character."""
HARDWARE_PREFIX = "system/"
"""Keys that begin so are what the node measures of a step: no step may log them."""

SEGMENT_BYTES = 1024 * 1024
HEADER_BYTES = 64
RECORD = struct.Struct("<IIqdd")
"""Key id, flags (zero), step, value, Unix seconds: ``"<u4,<u4,<i8,<f8,<f8"`` for numpy."""
CAPACITY = (SEGMENT_BYTES - HEADER_BYTES) // RECORD.size

HEADER = struct.Struct("<8sIIQQ")
"""Magic, version, record bytes, committed records, points lost because the disk was full."""
COMMITTED = 2
LOST = 3
"""Where the two counts stand in a header seen as native u64. Only such a view stores and loads
them in one piece: struct works byte by byte, and a reader would see half a number."""

_RETRY_SECONDS = 1.0
_RECORD_BYTES = RECORD.size
_pack_record = RECORD.pack_into


class _Key:
    __slots__ = ("id", "next_step")

    def __init__(self, key_id: int) -> None:
        self.id = key_id
        self.next_step = 0


class Writer:
    """Appends this process's points to files in ``folder``; safe to use from many threads.

    When the disk is full points are counted as lost in the segment's header, with one warning,
    and writing resumes when there is space: logging never fails a training step.
    Raises OSError if not even the first segment can be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Reentrant: a signal handler or a finaliser that logs must not deadlock its own thread.
        self._lock = threading.RLock()
        self._keys: dict[str, _Key] = {}
        self._name, self._key_file = _claim_name(folder)
        self._key_bytes = 0
        self._segment = 0
        self._warned = False
        self._retry_at = 0.0
        self._map: mmap.mmap
        self._header: memoryview
        self._count: int
        self._lost: int
        self._open(self._new_segment())

    def append(self, key: str, value: float, step: int | None = None) -> None:
        """Add one point; without ``step`` it takes the step after the key's last one.

        ``key`` must be valid and ``step`` an int64: ``hansard.log_metric`` checks both.
        """
        now = time.time()
        with self._lock:
            entry = self._keys.get(key)
            if entry is None:
                entry = self._add_key(key)
                if entry is None:
                    return
            if step is None:
                step = entry.next_step
            entry.next_step = step + 1
            count = self._count
            if count == CAPACITY:
                if not self._roll():
                    return
                count = 0
            # The place is taken first: an exception from a signal leaves a hole (key id 0),
            # which readers skip, and never a record that the next one overwrites.
            self._count = count + 1
            at = HEADER_BYTES + count * _RECORD_BYTES
            _pack_record(self._map, at, entry.id, 0, step, value, now)
            self._header[COMMITTED] = self._count

    def knows(self, key: str) -> bool:
        """Whether a point of this key was written before (and so the key was checked)."""
        return key in self._keys

    def close(self) -> None:
        """Release the files; nothing needs flushing."""
        with self._lock:
            self._unmap()
            os.close(self._key_file)

    def _add_key(self, key: str) -> _Key | None:
        line = json.dumps(key).encode() + b"\n"
        try:
            written = os.write(self._key_file, line)
            if written < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            os.ftruncate(self._key_file, self._key_bytes)
            self._lose(error)
            return None
        self._key_bytes += written
        entry = self._keys[key] = _Key(len(self._keys) + 1)
        return entry

    def _new_segment(self) -> mmap.mmap:
        path = self._folder / f"points.{self._name}.{self._segment + 1:06d}.seg"
        part = path.with_suffix(".part")
        try:
            with part.open("wb+") as file:
                # Written out, not sparse: a full disk is an error here, not a SIGBUS in append.
                file.write(HEADER.pack(MAGIC, VERSION, RECORD.size, 0, 0))
                file.write(bytes(SEGMENT_BYTES - HEADER.size))
                file.flush()
                mapped = mmap.mmap(file.fileno(), SEGMENT_BYTES)
            part.rename(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        self._segment += 1
        return mapped

    def _roll(self) -> bool:
        """Go on to the next segment; False, and a point lost, while there is no space for one."""
        now = time.monotonic()
        if now < self._retry_at:
            self._lose(None)
            return False
        try:
            fresh = self._new_segment()
        except OSError as error:
            self._retry_at = now + _RETRY_SECONDS
            self._lose(error)
            return False
        self._unmap()
        self._open(fresh)
        return True

    def _open(self, segment: mmap.mmap) -> None:
        self._map, self._count, self._lost = segment, 0, 0
        self._header = memoryview(segment)[:HEADER_BYTES].cast("Q")

    def _unmap(self) -> None:
        self._header.release()
        self._map.close()

    def _lose(self, error: OSError | None) -> None:
        self._lost += 1
        self._header[LOST] = self._lost
        if error is not None and not self._warned:
            self._warned = True
            warnings.warn(
                f"no space for metric points, they are counted as lost: {error.strerror}",
                RuntimeWarning,
                stacklevel=5,
            )


def _claim_name(folder: Path) -> tuple[str, int]:
    """A writer name never used in this folder (process ids come back) and its new key file."""
    pid, attempt = os.getpid(), 0
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    while True:
        name = f"{pid}-{attempt}"
        try:
            return name, os.open(folder / f"keys.{name}.jsonl", flags, 0o600)
        except FileExistsError:
            attempt += 1
