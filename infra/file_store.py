"""Content-addressed files: the plain store beside the artifacts, in a folder or on S3.

A digest is the SHA-256 of the content in hex. A file is complete and durable once it has its name.
"""

import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, Protocol, Self

from domain.errors import Invalid, NotFound
from infra.artifacts.local_storage import LocalStorage
from infra.artifacts.storage import Missing, Storage, open_storage
from infra.artifacts.storage_errors import disk_failures
from infra.artifacts.storage_keys import INCOMING

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
    """Files under `<prefix><first two digits>/<digest>`, spooled in a local folder at first."""

    def __init__(self, storage: Storage, spool: Path, prefix: str = "") -> None:
        self._storage = storage
        self._spool = spool
        self._prefix = prefix
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in spool.iterdir():  # by uploads that were cut off with their process
            with suppress(FileNotFoundError):  # another process tidies up too
                if time.time() - left.stat().st_mtime > _LEFT_AFTER_S:
                    left.unlink()

    def put(self, content: Iterable[bytes], expected: str | None = None) -> tuple[str, int]:
        """Store the content durably; answer its digest and size in bytes.

        Raises Invalid, and keeps nothing, when the digest is not the `expected` one; StorageFull.
        """
        with self.upload() as upload:
            for piece in content:
                upload.write(piece)
            return upload.commit(expected), upload.size

    def upload(self) -> "Upload":
        """A file to write piece by piece; gone at the end unless committed."""
        return Upload(self._storage, self._spool, self._key)

    def open(self, digest: str) -> BinaryIO:
        """The content, from its start. Raises NotFound."""
        try:
            return self._storage.open(self._key(digest))
        except Missing:
            raise NotFound("there is no file with this digest", digest=digest) from None

    def has(self, digest: str) -> bool:
        """Whether the content is there."""
        try:
            self._storage.size(self._key(digest))
        except Missing:
            return False
        return True

    def _key(self, digest: str) -> str:
        if not _DIGEST.fullmatch(digest):
            raise Invalid("a digest is 64 hexadecimal digits", field="digest")
        return f"{self._prefix}{digest[:2]}/{digest}"


class Upload:
    """An incoming file."""

    def __init__(self, storage: Storage, spool: Path, key_of: Callable[[str], str]) -> None:
        self._storage = storage
        self._key_of = key_of
        self._digest = sha256()
        self.size = 0
        with disk_failures():
            self._file = NamedTemporaryFile(dir=spool, delete=False)  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a full disk refuses what is left in the buffer once more
            self._file.close()
        Path(self._file.name).unlink(missing_ok=True)

    def write(self, piece: bytes) -> None:
        """Add to the end. Raises StorageFull, StorageFailed."""
        with disk_failures():
            self._file.write(piece)
        self._digest.update(piece)
        self.size += len(piece)

    def commit(self, expected: str | None = None) -> str:
        """Make it durable under its digest. Raises Invalid if that is not the `expected` one."""
        digest = self._digest.hexdigest()
        if expected is not None and digest != expected:
            raise Invalid("the content does not have the digest in the address")
        with disk_failures():
            self._file.flush()
        self._storage.put_file(self._key_of(digest), Path(self._file.name))
        return digest


def open_files(url: str, folder: Path) -> FileStore:
    """The files of the storage at an address: below `files/` on S3, at the top of a folder.

    Uploads are spooled below `folder`. Raises ValueError, StorageFailed.
    """
    storage = open_storage(url, folder)
    prefix = "" if isinstance(storage, LocalStorage) else "files/"
    return FileStore(storage, folder / INCOMING, prefix)
