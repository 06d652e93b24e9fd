"""Reads the list of items that a step logs as files, with distrust: the step may write anything.

What is no item, or has no content of the size it tells, is counted and dropped.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hansard.formats.frames import Item
from hansard.media.files import (
    ITEMS_FOLDER,
    ITEMS_NAME,
    MAX_ITEM_BYTES,
    MAX_ITEMS,
    MAX_ITEMS_BYTES,
)
from hansard.run_log import check_key
from workers.step_documents import DocumentRefused, parsed

READ_BYTES = 512 << 10
"""Lines of one batch; even escaped they fit into one frame."""

MAX_LINE_BYTES = 64 << 10
KINDS = frozenset({"file", "image", "figure", "table", "histogram", "confusion_matrix", "curve"})

_MAX_READ_BYTES = MAX_ITEMS * MAX_LINE_BYTES
_MAX_TIME_S = 10**11
_PATH = re.compile(rf"{ITEMS_FOLDER}/[0-9a-f]{{64}}\.[a-z0-9]{{1,16}}")
_MEDIA = re.compile(r"[a-z0-9][a-z0-9.+-]{0,62}/[a-z0-9][a-z0-9.+-]{0,62}")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class ItemReader:
    """Follows the list. `dropped` counts the lines that are not items that could be kept."""

    def __init__(self, step: Path) -> None:
        self._step = step
        self._offset = 0
        self._number = 0
        self._sizes: dict[str, int] = {}
        self._within_line = False
        self.dropped = 0

    def has_new(self) -> bool:
        """Whether the list has grown."""
        try:
            facts = os.lstat(self._step / ITEMS_NAME)
        except OSError:
            return False
        return stat.S_ISREG(facts.st_mode) and self._offset < min(facts.st_size, _MAX_READ_BYTES)

    def read_new(self) -> list[Item]:
        """The items of the next whole lines, at most READ_BYTES of them; empty when there are none.

        A list that is no plain file has no lines.
        """
        while data := self._read():
            lines = self._whole_lines(data)
            if not lines:
                if len(data) < READ_BYTES:
                    break
                continue
            items = [item for line in lines if (item := self._take(line)) is not None]
            if items:
                return items
        return []

    def _read(self) -> bytes:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self._step / ITEMS_NAME, flags)
        except OSError:
            return b""
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode) or self._offset >= _MAX_READ_BYTES:
                return b""
            return os.pread(descriptor, READ_BYTES, self._offset)
        finally:
            os.close(descriptor)

    def _whole_lines(self, data: bytes) -> list[bytes]:
        """The lines that end in the data; one that is longer than all of it is dropped."""
        end = data.rfind(b"\n") + 1
        if not end and len(data) == READ_BYTES:
            self._offset += len(data)
            self._within_line = True
            return []
        self._offset += end
        lines = data[:end].split(b"\n")[:-1]
        if self._within_line and lines:
            self._within_line = False
            lines[0] = b""  # the rest of what was too long: it counts as one line
        return lines

    def _take(self, line: bytes) -> Item | None:
        self._number += 1
        try:
            if self._number <= MAX_ITEMS and len(line) <= MAX_LINE_BYTES:
                item = _item(self._number, parsed(line))
                self._check_content(item)
                return item
        except (DocumentRefused, ValueError, KeyError, OSError):
            pass
        self.dropped += 1
        return None

    def _check_content(self, item: Item) -> None:
        """Raises ValueError unless there is a plain file of this size, within all limits."""
        with contents(self._step) as folder:
            facts = os.lstat(folder / Path(item.path).name)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size != item.size:
            raise ValueError("the content is not what the list says")
        sizes = {**self._sizes, item.path: item.size}
        if sum(sizes.values()) > MAX_ITEMS_BYTES:
            raise ValueError("too many bytes")
        self._sizes = sizes


@contextmanager
def contents(step: Path) -> Iterator[Path]:
    """A path to the folder of contents that stays the same folder whatever the step puts there.

    Raises OSError if there is none, or a link in its place.
    """
    descriptor = os.open(step / ITEMS_FOLDER, _FOLDER)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _item(number: int, fields: dict[str, Any]) -> Item:
    """Raises ValueError, KeyError for what `hansard.media` would not have written."""
    texts = [fields[name] for name in ("name", "kind", "file", "media")]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("text is missing")
    name, kind, path, media = texts
    step, size, meta = fields["step"], fields["size"], fields["meta"]
    check_key(name)
    if kind not in KINDS:
        raise ValueError("no such kind")
    if not (_PATH.fullmatch(path) and _MEDIA.fullmatch(media) and isinstance(meta, dict)):
        raise ValueError("no such content")
    if type(size) is not int or not 0 <= size <= MAX_ITEM_BYTES:
        raise ValueError("no such size")
    if step is not None and type(step) is not int:
        raise ValueError("no such step")
    return Item(number, name, kind, step, _milliseconds(fields["time"]), path, media, size, meta)


def _milliseconds(time: Any) -> int:
    if type(time) not in (int, float) or not 0 <= time < _MAX_TIME_S:
        raise ValueError("no such time")
    return int(time * 1000)
