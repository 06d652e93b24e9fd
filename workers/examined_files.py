"""The files of a version on disk, for the process that looks into tables."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from hansard.formats.objects import Cut, File
from hansard.tables import table_format
from infra.artifacts.store import ArtifactStore
from infra.event_log.errors import StorageFull
from workers.tables.process import TablesFailed

SPARE_BYTES = 1 << 30
"""Left free on the disk: the record must never be short of it because somebody is curious."""
_HEAD_BYTES = 64
_PREFIX = ".examined-"  # the node's agent takes folders without the dot for attempts


@contextmanager
def written_out(artifacts: ArtifactStore, root: bytes, work: Path) -> Iterator[list[Path]]:
    """An artifact's files in a folder below `work` that only this user can open, until the end.

    Of files that are no tables only the first bytes are written, and then a hole of their size.
    Raises ObjectsMissing and ObjectError where bytes are lost, TablesFailed if the disk is too
    small, and StorageFull if it is only too full.
    """
    work.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix=_PREFIX, dir=work))
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        files = artifacts.files(root)
        contents, room = _Contents(artifacts), _Room(folder)
        yield [_write(contents, file, folder / file.path, room) for file in files]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def sweep(work: Path) -> None:
    """Remove what processes that were killed have left; folders in use are locked."""
    for folder in work.glob(f"{_PREFIX}*"):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


class _Room:
    """What may still be written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken = 0

    def take(self, size: int) -> None:
        """Raise TablesFailed, or StorageFull, if there is no room for so many bytes."""
        disk = shutil.disk_usage(self._folder)
        self._taken += size
        if self._taken + SPARE_BYTES > disk.total:
            raise TablesFailed("the tables are larger than the disk of whoever looks into them")
        if size + SPARE_BYTES > disk.free:
            raise StorageFull("there is no room to look into the tables")


class _Contents:
    """What is in files; a piece that the next ones share is read once."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts
        self._shared: tuple[bytes, bytes] = (b"", b"")

    def pieces(self, file: File, length: int) -> Iterator[bytes]:
        """The first `length` bytes. Raises ObjectsMissing, ObjectError."""
        if file.cut is not Cut.SHARED:
            yield from self._artifacts.pieces(file, 0, length)
            return
        (piece,) = file.body
        if self._shared[0] != piece.name:
            whole = File(file.path, piece.size, Cut.FIXED, file.body)
            content = b"".join(self._artifacts.pieces(whole, 0, piece.size))
            self._shared = (piece.name, content)
        yield self._shared[1][file.offset : file.offset + min(length, file.size)]


def _write(contents: _Contents, file: File, path: Path, room: _Room) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(contents.pieces(file, _HEAD_BYTES)))
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise TablesFailed("one path is that of a file and of a folder") from None
    if table_format(path) is None:
        os.truncate(path, file.size)
        return path
    room.take(file.size)
    with path.open("wb") as target:
        for part in contents.pieces(file, file.size):
            target.write(part)
    return path
