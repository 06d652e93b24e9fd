"""Contents of what a run logged as files, as bytes or as files of their own."""

import io
import re
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from hansard.client.effect import Flow, Request
from hansard.client.series_results import RunItem
from hansard.client.session import Session
from hansard.client_errors import Corrupt

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,16}")
_MAX_STEM_CHARS = 100


class _Copy:
    """A sink that writes to a file, on a disk or in memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0

    def restart(self) -> None:
        """Begin anew: an answer was cut."""
        self._file.seek(0)
        self._file.truncate()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Take the next piece."""
        self._file.write(data)
        self.size += len(data)


def content(session: Session, item: RunItem) -> Flow[bytes]:
    """The content of an item. Raises NotFound, Corrupt."""
    with io.BytesIO() as memory:
        yield from _take(session, item, memory)
        return memory.getvalue()


def save(session: Session, item: RunItem, folder: Path) -> Flow[Path]:
    """The content in a new file of a folder, named after the item and its number.

    Raises FileExistsError, NotFound, Corrupt, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = _UNSAFE.sub("_", item.name.rpartition(".")[0] or item.name)[:_MAX_STEM_CHARS]
    suffix = Path(item.path).suffix
    path = folder / f"{stem}.{item.number}{suffix if _SUFFIX.fullmatch(suffix) else ''}"
    with path.open("xb") as file:
        try:
            yield from _take(session, item, file)
        except BaseException:
            path.unlink()
            raise
    return path


def _take(session: Session, item: RunItem, file: BinaryIO) -> Flow[None]:
    sink = _Copy(file)
    path = f"/v1/artifacts/{quote(item.artifact, safe='')}/files/{quote(item.path)}"
    yield from session.ask(Request("GET", path, sink=sink))
    if sink.size != item.size:
        raise Corrupt(f"the content of `{item.name}` has {sink.size} bytes, not {item.size}")
