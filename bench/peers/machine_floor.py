"""What the machine itself needs to copy a file: the program `cp`, with and without fsync."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import psutil

_LEFT_BYTES = 1 << 30
_READ_BYTES = 1 << 23


@dataclass(frozen=True, slots=True)
class CopyFloor:
    """Median seconds of `cp` into the page cache, and of `cp` followed by fsync of the copy."""

    cp_s: float
    cp_fsync_s: float


def copy_floor(source: Path, folder: Path, rounds: int) -> CopyFloor:
    """Copy a file to a folder so many times in either way, in turn."""
    taken = [(cp_s(source, folder), cp_fsync_s(source, folder)) for _ in range(rounds)]
    plain, synced = zip(*taken, strict=True)
    return CopyFloor(median(plain), median(synced))


def cp_s(source: Path, folder: Path) -> float:
    """Seconds of `cp` to a new file, which is removed."""
    return _copy(source, folder / "cp.copy", fsync=False)


def cp_fsync_s(source: Path, folder: Path) -> float:
    """Seconds of `cp` to a new file and of fsync of it; the file is removed."""
    return _copy(source, folder / "cp_fsync.copy", fsync=True)


def _copy(source: Path, target: Path, *, fsync: bool) -> float:
    target.unlink(missing_ok=True)
    os.sync()
    start = perf_counter()
    subprocess.run(["cp", str(source), str(target)], check=True)
    if fsync:
        descriptor = os.open(target, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    taken = perf_counter() - start
    target.unlink()
    return taken


@contextmanager
def filled_page_cache(folder: Path) -> Iterator[None]:
    """Have the memory that is free hold a file's pages until the end of the block.

    A virtual machine gets memory from its host at the first touch, which can cost more than a copy
    of a file does; whoever touched it first would pay for it. Pages of a sparse file are read from
    no disk and are given up at once for those of other files. Takes about two seconds a gigabyte.
    """
    sparse = folder / "sparse"
    with sparse.open("wb") as file:
        file.truncate(max(0, psutil.virtual_memory().free - _LEFT_BYTES))
    try:
        buffer = bytearray(_READ_BYTES)
        with sparse.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
        yield
    finally:
        sparse.unlink()


def bytes_of(folder: Path) -> int:
    """Lengths of all files under a folder; those of hard links count once."""
    lengths = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            status = path.stat()
            lengths[status.st_dev, status.st_ino] = status.st_size
    return sum(lengths.values())
