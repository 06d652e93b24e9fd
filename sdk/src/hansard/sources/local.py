"""A file or folder of this machine. Links are refused; what is read is digested on the way."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hansard.sources.contract import (
    PIECE_BYTES,
    Closing,
    Entry,
    check_range,
    checked,
    known,
    summary,
)
from hansard.sources.errors import AddressRefused, SourceChanged, SourceError, SourceMissing
from hansard.sources.libraries import require

_WHY = "files can be changed in place: only a copy of the bytes gives the same data again"
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_DIRECTORY


class LocalSource(Closing):
    """Reads a file, or every file below a folder."""

    kind = "local"
    parallel_ranges = False

    def __init__(self, path: Path) -> None:
        self._root = Path(os.path.abspath(path))
        self._single = not _status(self._root).st_mode & stat.S_IFDIR
        self._seen: dict[str, Entry] = {}
        self._digests: dict[tuple[str, str], str] = {}

    def __repr__(self) -> str:
        return f"<LocalSource {self._root}>"

    def list(self) -> Iterator[Entry]:
        """Every plain file. Raises SourceError for a link or a special file."""
        found = checked(self._walk())
        self._seen = {entry.path: entry for entry in found}
        return iter(found)

    def open(self, path: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes of a file. Raises SourceChanged when it is not what was listed."""
        check_range(start, length)
        if not self._seen:
            self.list()
        return self._read(known(self._seen, path), start, length)

    def fingerprint(self) -> dict[str, Any]:
        """The digest of every file; those not read yet are read now."""
        entries = [
            Entry(entry.path, entry.size, f"blake3:{self._digest(entry)}") for entry in self.list()
        ]
        return {
            "kind": self.kind,
            "address": self._root.as_uri(),
            "reproducible": False,
            "why": _WHY,
            **summary(entries),
        }

    def _walk(self) -> Iterator[Entry]:
        if self._single:
            yield _entry(self._root.name, _status(self._root))
            return
        folders = [(self._root, "")]
        while folders:
            folder, prefix = folders.pop()
            for item in _items(folder):
                path = prefix + item.name
                status = _status(Path(item.path))
                if stat.S_ISDIR(status.st_mode):
                    folders.append((Path(item.path), f"{path}/"))
                else:
                    yield _entry(path, status)

    def _read(self, entry: Entry, start: int, length: int | None) -> Iterator[bytes]:
        digest = require("blake3").blake3()
        left = entry.size if length is None else length
        whole = start == 0 and left == entry.size
        with os.fdopen(self._descriptor(entry), "rb", buffering=0) as file:
            file.seek(start)
            while left and (piece := file.read(min(left, PIECE_BYTES))):
                left -= len(piece)
                digest.update(piece)
                yield piece
            _same(entry, os.fstat(file.fileno()))
        if whole:
            self._digests[entry.path, entry.fingerprint] = digest.hexdigest()

    def _descriptor(self, entry: Entry) -> int:
        """Opened part by part, so that no folder on the way can have become a link."""
        try:
            file = os.open(self._root, _FILE if self._single else _FOLDER)
            parts = [] if self._single else entry.path.split("/")
            for depth, part in enumerate(parts, 1):
                file = _inside(file, part, _FILE if depth == len(parts) else _FOLDER)
        except OSError:
            raise SourceChanged(f"`{entry.path}` cannot be opened as it was listed") from None
        try:
            _same(entry, os.fstat(file))
        except SourceChanged:
            os.close(file)
            raise
        return file

    def _digest(self, entry: Entry) -> str:
        key = entry.path, entry.fingerprint
        if key not in self._digests:
            for _ in self._read(entry, 0, None):
                pass
        return self._digests[key]


def _items(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as items:
            return list(items)
    except OSError as error:
        raise SourceError(f"{folder} cannot be listed: {error.strerror}") from None


def _status(path: Path) -> os.stat_result:
    try:
        status = path.lstat()
    except OSError as error:
        raise SourceMissing(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise AddressRefused("a path contains no zero byte") from None
    if stat.S_ISLNK(status.st_mode):
        raise SourceError(f"{path} is a link: give the file or folder it leads to")
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise SourceError(f"{path} is neither a file nor a folder")
    return status


def _entry(path: str, status: os.stat_result) -> Entry:
    # The time of change too: unlike that of modification no program can set it back.
    parts = status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
    return Entry(path, status.st_size, "stat:" + "-".join(map(str, parts)))


def _same(entry: Entry, status: os.stat_result) -> None:
    if _entry(entry.path, status) != entry:
        raise SourceChanged(f"`{entry.path}` was changed after it was listed")


def _inside(folder: int, name: str, flags: int) -> int:
    """Opened below an open folder, which is closed."""
    try:
        return os.open(name, flags, dir_fd=folder)
    finally:
        os.close(folder)
