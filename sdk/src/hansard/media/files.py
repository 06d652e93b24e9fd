"""The shelf of a step: what was logged as a file, each content once, and the list of items.

Content is written aside and renamed, so a name in the list always leads to a whole file. Files
beside it whose names begin with a dot are unfinished and belong to nobody.
"""

import errno
import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

ITEMS_NAME = "items.jsonl"
ITEMS_FOLDER = "items"

MAX_ITEMS = 10_000
MAX_ITEM_BYTES = 4 * 1024**3
MAX_ITEMS_BYTES = 16 * 1024**3
"""Of all distinct contents of a step together."""

_BLOCK_BYTES = 1024 * 1024
_COPY_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be stored: checked, converted, and written when ``write`` is called with a file.

    ``size`` is about what it takes, in bytes; ``suffix`` ends the file's name, without a dot.
    """

    write: Callable[[BinaryIO], object]
    size: int
    suffix: str
    media: str
    meta: dict[str, Any]


def of_bytes(data: bytes, suffix: str, media: str, meta: dict[str, Any]) -> Content:
    """The content that these bytes are."""
    return Content(lambda file: file.write(data), len(data), suffix, media, meta)


def of_file(path: Path, suffix: str, media: str, meta: dict[str, Any]) -> Content:
    """The content of a file as it is when stored; a copy, since the file may change afterwards.

    Raises OSError if it cannot be read, ValueError if it is a folder, pipe or device.
    """
    with _opened(path) as source:
        size = os.fstat(source.fileno()).st_size

    def copy(file: BinaryIO) -> None:
        with _opened(path) as source:
            _copy(source, file)

    return Content(copy, size, suffix, media, meta)


def read_regular(path: Path) -> bytes:
    """The bytes of a file that can be an item. Raises OSError and ValueError as `of_file`."""
    with _opened(path) as source:
        _check_size(os.fstat(source.fileno()).st_size)
        return source.read()


class Shelf:
    """Adds items to a step's folder; any number of threads and processes may do so at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Replaced as one, so that a thread or a signal handler in between sees both or neither.
        self._read = (0, 0)
        self._sizes: dict[str, int] = {}

    def add(self, kind: str, name: str, step: int | None, content: Content) -> None:
        """Store the content and list the item.

        Raises ValueError if the content or the step's items together would be too large, OSError
        if they cannot be written.
        """
        self._catch_up()
        if self._read[1] >= MAX_ITEMS:
            raise ValueError(f"a step keeps at most {MAX_ITEMS:,} logged items")
        file, size = self._keep(content)
        item = {
            "name": name,
            "kind": kind,
            "step": step,
            "time": time.time(),
            "file": file,
            "media": content.media,
            "size": size,
            "meta": content.meta,
        }
        self._append(json.dumps(item, allow_nan=False).encode() + b"\n")

    def _keep(self, content: Content) -> tuple[str, int]:
        _check_size(content.size)
        items = self.folder / ITEMS_FOLDER
        items.mkdir(mode=0o700, exist_ok=True)
        number, aside = tempfile.mkstemp(prefix=".", suffix=".part", dir=items)
        try:
            with os.fdopen(number, "w+b") as file:
                content.write(file)
                size = file.seek(0, os.SEEK_END)
                _check_size(size)
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            name = f"{digest}.{content.suffix}"
            self._check_room(f"{ITEMS_FOLDER}/{name}", size)
            if not (items / name).exists():
                Path(aside).rename(items / name)
        finally:
            Path(aside).unlink(missing_ok=True)
        return f"{ITEMS_FOLDER}/{name}", size

    def _check_room(self, file: str, size: int) -> None:
        if file not in self._sizes and sum(list(self._sizes.values())) + size > MAX_ITEMS_BYTES:
            raise ValueError(f"a step keeps at most {MAX_ITEMS_BYTES:,} bytes of logged items")

    def _append(self, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        file = os.open(self.folder / ITEMS_NAME, flags, 0o600)
        try:
            written = os.write(file, line)  # one write: items of several processes do not mix
            if written < len(line):
                # The half line goes, unless another process has written after it.
                end = os.lseek(file, 0, os.SEEK_CUR)
                if os.fstat(file).st_size == end:
                    os.ftruncate(file, end - written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(file)

    def _catch_up(self) -> None:
        """Learn what was listed since the last call, by this process or another."""
        offset, count = self._read
        try:
            with (self.folder / ITEMS_NAME).open("rb") as file:
                file.seek(offset)
                data = file.read()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        lines = whole.splitlines()
        self._sizes.update(found for line in lines if (found := _listed(line)))
        self._read = (offset + len(whole), count + len(lines))


def _listed(line: bytes) -> tuple[str, int] | None:
    """File and size of a line; None if something else has written it."""
    try:
        item = json.loads(line)
        return str(item["file"]), int(item["size"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _check_size(size: int) -> None:
    if size > MAX_ITEM_BYTES:
        raise ValueError(f"a logged item has at most {MAX_ITEM_BYTES:,} bytes, this one {size:,}")


def _opened(path: Path) -> BinaryIO:
    """The regular file at ``path``; a pipe is refused rather than waited for."""
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise ValueError(f"`{path}` is no regular file")
    return os.fdopen(number, "rb", buffering=0)


def _copy(source: BinaryIO, target: BinaryIO) -> None:
    """All of ``source``, without moving bytes where the file system can share them."""
    copied = 0
    try:
        while copied <= MAX_ITEM_BYTES:
            done = os.copy_file_range(source.fileno(), target.fileno(), _COPY_BYTES)
            copied += done
            if not done:
                break
    except (OSError, AttributeError):
        # Not here, or not between these two: read and write, which also names a true error.
        copied = source.tell()
    target.seek(0, os.SEEK_END)  # the file object has not seen what the system has written
    while copied <= MAX_ITEM_BYTES and (block := source.read(_BLOCK_BYTES)):
        target.write(block)
        copied += len(block)
    target.flush()
