"""Content-addressed files on a local disk: the plain store behind the artifact interface.

A digest is the SHA-256 of the content in hex. A file is complete and durable once it has its name.
"""

import os
import re
import time
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, Protocol, Self

from domain.errors import Invalid, NotFound

_INCOMING = "incoming"
_LEFT_AFTER_S = 24 * 3600
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Files(Protocol):
    """What the rest of the platform needs of a store of files."""

    def put(self, content: Iterable[bytes], expected: str | None = None) -> tuple[str, int]:
        """Store the content; answer its digest and size in bytes."""

    def open(self, digest: str) -> BinaryIO:
        """The content, from its start. Raises NotFound."""

    def has(self, digest: str) -> bool:
        """Whether the content is there."""


class FileStore:
    """Files under `<root>/<first two digits>/<digest>`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        incoming = root / _INCOMING
        incoming.mkdir(parents=True, exist_ok=True)
        for left in incoming.iterdir():  # by uploads that were cut off with their process
            if time.time() - left.stat().st_mtime > _LEFT_AFTER_S:
                left.unlink(missing_ok=True)

    def put(self, content: Iterable[bytes], expected: str | None = None) -> tuple[str, int]:
        """Store the content durably; answer its digest and size in bytes.

        Raises Invalid, and keeps nothing, when the digest is not the `expected` one.
        """
        with self.upload() as upload:
            for piece in content:
                upload.write(piece)
            return upload.commit(expected), upload.size

    def upload(self) -> "Upload":
        """A file to write piece by piece; gone at the end unless committed."""
        return Upload(self._root)

    def open(self, digest: str) -> BinaryIO:
        """The content, from its start. Raises NotFound."""
        try:
            return self._path(digest).open("rb")
        except FileNotFoundError:
            raise NotFound("there is no file with this digest", digest=digest) from None

    def has(self, digest: str) -> bool:
        """Whether the content is there."""
        return self._path(digest).exists()

    def _path(self, digest: str) -> Path:
        return place(self._root, digest)


class Upload:
    """An incoming file."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._digest = sha256()
        self.size = 0
        self._file = NamedTemporaryFile(dir=root / _INCOMING, delete=False)  # noqa: SIM115
        self._path: Path | None = Path(self._file.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def write(self, piece: bytes) -> None:
        """Add to the end."""
        self._file.write(piece)
        self._digest.update(piece)
        self.size += len(piece)

    def commit(self, expected: str | None = None) -> str:
        """Make it durable under its digest. Raises Invalid if that is not the `expected` one."""
        digest = self._digest.hexdigest()
        if expected is not None and digest != expected:
            raise Invalid("the content does not have the digest in the address")
        self._file.flush()
        os.fsync(self._file.fileno())
        target = place(self._root, digest)
        if not target.exists() and self._path is not None:
            target.parent.mkdir(exist_ok=True)
            self._path.rename(target)
            self._path = None
            _sync_folder(target.parent)
            _sync_folder(self._root)
        return digest


def place(root: Path, digest: str) -> Path:
    """Where a digest's content lies. Raises Invalid for what is no digest."""
    if not _DIGEST.fullmatch(digest):
        raise Invalid("a digest is 64 hexadecimal digits", field="digest")
    return root / digest[:2] / digest


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
