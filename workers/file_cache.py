"""Small immutable files (locks, bundles) of the platform, kept on the node by their digest."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Protocol

from workers.faults import PlatformFault

MAX_BYTES = 1024 * 1024 * 1024
"""Beyond it the files unused for longest are removed."""

_PIECE = 1 << 20


class Source(Protocol):
    """Where files come from."""

    def fetch(self, digest: str, target: BinaryIO) -> None:
        """Write a file's content to an empty file."""


class DamagedFile(PlatformFault):
    """The platform handed out a file that does not have its digest."""


class FileCache:
    """``source`` is asked for on the first miss: making a client costs start-up time."""

    def __init__(self, folder: Path, source: Callable[[], Source]) -> None:
        self._folder = folder
        self._source = source

    def read(self, digest: str) -> bytes:
        """The content, checked against its digest. Raises DamagedFile and what the source does."""
        path = self._folder / digest
        with suppress(FileNotFoundError):
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == digest:
                os.utime(path)
                return data
        data = self._fetch(digest)
        self._keep(path, data)
        return data

    def copy(self, digest: str, path: Path) -> None:
        """Fetch a file of any size to ``path``, not kept here. Raises as `read`."""
        with path.open("xb+") as target:
            self._source().fetch(digest, target)
            target.seek(0)
            if hashlib.file_digest(target, "sha256").hexdigest() != digest:
                raise DamagedFile(f"the file {digest} arrived damaged")

    def _fetch(self, digest: str) -> bytes:
        with TemporaryFile() as target:
            self._source().fetch(digest, target)
            target.seek(0)
            data = target.read()
        if hashlib.sha256(data).hexdigest() != digest:
            raise DamagedFile(f"the file {digest} arrived damaged")
        return data

    def _keep(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_bytes(data)
        part.rename(path)
        self._evict()

    def _evict(self) -> None:
        with os.scandir(self._folder) as entries:
            facts = sorted(
                (each.stat().st_mtime, each.stat().st_size, each.path) for each in entries
            )
        excess = sum(size for _, size, _ in facts) - MAX_BYTES
        for _, size, path in facts:
            if excess <= 0:
                break
            os.unlink(path)
            excess -= size
