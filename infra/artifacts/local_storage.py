"""Contents as files below a folder: written aside, made durable, then given their name."""

import os
import secrets
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from infra.artifacts.storage_errors import Missing, StorageFailed, disk_failures, is_full
from infra.artifacts.storage_keys import INCOMING, checked_key, checked_range, is_key

_WRITE_BUFFER_BYTES = 256 << 10  # gathers small parts; larger ones go to the file as they are


class LocalStorage:
    """Files `<root>/<key>`; several processes may use one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / INCOMING
        self._durable_folders: set[Path] = set()
        self._has_lost_writes = False
        with disk_failures():
            if not root.is_dir():
                root.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._sync_folder(root.parent)
            self._incoming.mkdir(mode=0o700, exist_ok=True)

    def put(self, key: str, parts: Sequence[bytes | bytearray | memoryview]) -> None:
        """Store the parts as one file. Raises StorageFull, StorageFailed."""
        target = self._place(key)
        with disk_failures():
            if target.exists():
                self._make_name_durable(target)
                return
            path = self._incoming / secrets.token_hex(16)
            try:
                self._write(path, parts)
                self._name(path, target)
            finally:
                path.unlink(missing_ok=True)

    def put_file(self, key: str, path: Path) -> None:
        """Move a file here, or leave it where the key exists. Raises StorageFull, StorageFailed."""
        target = self._place(key)
        with disk_failures():
            if target.exists():
                self._make_name_durable(target)
                return
            with path.open("rb") as file:
                self._sync(file.fileno())
            self._name(path, target)

    def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file. Raises Missing, StorageFailed."""
        checked_range(offset, length)
        with disk_failures(), self._opened(key) as (descriptor, size):
            left = max(size - offset, 0)
            return _pread(descriptor, left if length is None else min(left, length), offset)

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """Pieces of a file, which may be deleted meanwhile. Raises Missing, StorageFailed."""
        with disk_failures(), self._opened(key) as (descriptor, size):
            for offset, length in ranges:
                checked_range(offset, length)
                yield _pread(descriptor, min(max(size - offset, 0), length), offset)

    def open(self, key: str) -> BinaryIO:
        """The file, opened. Raises Missing, StorageFailed."""
        path = self._place(key)
        with disk_failures(), _missing(key):
            return path.open("rb")

    def size(self, key: str) -> int:
        """Size in bytes. Raises Missing, StorageFailed."""
        path = self._place(key)
        with disk_failures(), _missing(key):
            return _size_of_file(path.stat())

    def keys(self, prefix: str = "") -> Iterator[tuple[str, int, float]]:
        """Key, size and time of the last change of every file."""
        folder = prefix.rpartition("/")[0]
        if folder:
            checked_key(f"{folder}/x")
        with disk_failures():
            yield from self._files(folder, prefix)

    def delete(self, key: str) -> None:
        """Remove a file. Raises StorageFailed."""
        path = self._place(key)
        with disk_failures(), suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
            self._sync_folder(path.parent)

    def sweep(self, older_than_s: float) -> int:
        """Remove incoming files that nobody has written to for so long."""
        latest = time.time() - older_than_s
        removed = 0
        with disk_failures():
            for left in self._incoming.iterdir():
                with suppress(FileNotFoundError):  # finished, or swept by another process
                    if left.stat().st_mtime < latest:
                        left.unlink()
                        removed += 1
        return removed

    def presigned(self, key: str, expires_s: int) -> str | None:
        """None: a folder has no address."""
        return None

    def _place(self, key: str) -> Path:
        return self._root / checked_key(key)

    @contextmanager
    def _opened(self, key: str) -> Iterator[tuple[int, int]]:
        """The descriptor and the size of a file."""
        path = self._place(key)
        with _missing(key):
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with _missing(key):
                size = _size_of_file(os.fstat(descriptor))
            yield descriptor, size
        finally:
            os.close(descriptor)

    def _files(self, folder: str, prefix: str) -> Iterator[tuple[str, int, float]]:
        """Files below a folder, one folder listed at a time."""
        try:
            entries = list(os.scandir(self._root / folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            key = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                if is_key(f"{key}/x") and f"{key}/".startswith(prefix[: len(key) + 1]):
                    yield from self._files(key, prefix)
            elif is_key(key) and key.startswith(prefix) and entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):  # deleted meanwhile
                    facts = entry.stat(follow_symlinks=False)
                    yield key, facts.st_size, facts.st_mtime

    def _write(self, path: Path, parts: Sequence[bytes | bytearray | memoryview]) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb", buffering=_WRITE_BUFFER_BYTES) as file:
            file.writelines(parts)
            file.flush()
            self._sync(descriptor)

    def _name(self, path: Path, target: Path) -> None:
        self._make_folder(target.parent)
        path.rename(target)
        self._make_name_durable(target)

    def _make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make_folder(folder.parent)  # one by one: all get the mode, not just the last
            folder.mkdir(mode=0o700, exist_ok=True)

    def _make_name_durable(self, target: Path) -> None:
        """Sync the folder of a file, and above it until one is known to be on the disk."""
        folder = target.parent
        self._sync_folder(folder)
        new = []
        while folder != self._root and folder not in self._durable_folders:
            new.append(folder)
            folder = folder.parent
            self._sync_folder(folder)
        self._durable_folders.update(new)

    def _sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._sync(descriptor)
        finally:
            os.close(descriptor)

    def _sync(self, descriptor: int) -> None:
        """Sync once. After a failure the kernel may drop the data and call a second sync good."""
        if self._has_lost_writes:
            raise StorageFailed("the disk has lost writes: check it, then restart this process")
        try:
            os.fsync(descriptor)
        except OSError as error:
            if not is_full(error):
                self._has_lost_writes = True
            raise


@contextmanager
def _missing(key: str) -> Iterator[None]:
    """A path that is no file means that nothing is stored under the key."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise Missing(key) from None


def _size_of_file(facts: os.stat_result) -> int:
    if stat.S_ISDIR(facts.st_mode):
        raise IsADirectoryError
    return facts.st_size


def _pread(descriptor: int, length: int, offset: int) -> bytes:
    """Exactly `length` bytes, fewer only if the file was cut off meanwhile."""
    data = os.pread(descriptor, length, offset)
    if len(data) == length:
        return data
    pieces = [data]
    while pieces[-1]:  # one call answers at most 2 GiB
        length -= len(pieces[-1])
        offset += len(pieces[-1])
        pieces.append(os.pread(descriptor, length, offset))
    return b"".join(pieces)
