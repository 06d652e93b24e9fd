"""Content-addressed files on a local disk: the plain store behind the artifact interface.

A digest is the SHA-256 of the content in hex. A file is complete and durable once it has its name.
"""

import os
import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, Protocol

from domain.errors import Invalid, NotFound

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
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)

    def put(self, content: Iterable[bytes], expected: str | None = None) -> tuple[str, int]:
        """Store the content durably; answer its digest and size in bytes.

        Raises Invalid, and keeps nothing, when the digest is not the `expected` one.
        """
        digest, size = sha256(), 0
        with NamedTemporaryFile(dir=self._incoming, delete=False) as file:
            path = Path(file.name)
            try:
                for piece in content:
                    file.write(piece)
                    digest.update(piece)
                    size += len(piece)
                file.flush()
                os.fsync(file.fileno())
                name = digest.hexdigest()
                if expected is not None and name != expected:
                    raise Invalid("the content does not have the digest in the address")
                self._name(path, name)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        return name, size

    def open(self, digest: str) -> BinaryIO:
        """The content, from its start. Raises NotFound."""
        try:
            return self._path(digest).open("rb")
        except FileNotFoundError:
            raise NotFound("there is no file with this digest", digest=digest) from None

    def has(self, digest: str) -> bool:
        """Whether the content is there."""
        return self._path(digest).exists()

    def _name(self, path: Path, digest: str) -> None:
        target = self._path(digest)
        if target.exists():
            path.unlink()
            return
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
        for folder in (target.parent, self._root):
            _sync_folder(folder)

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise Invalid("a digest is 64 hexadecimal digits", field="digest")
        return self._root / digest[:2] / digest


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
