"""Where packs and files lie: a few verbs over a folder or over S3."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from infra.artifacts.local_storage import LocalStorage
from infra.artifacts.s3_storage import S3Storage
from infra.artifacts.storage_errors import Missing, StorageFailed

__all__ = ["Missing", "Storage", "StorageFailed", "open_storage"]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?")


class Storage(Protocol):
    """Immutable contents under keys like `packs/ab/abcdef`; safe to use from several threads.

    A key names one content for ever, so whoever writes it again writes the same. All verbs raise
    ValueError for what is no key, and StorageFailed when the disk or the server fails.
    """

    def put(self, key: str, parts: Sequence[bytes | bytearray | memoryview]) -> None:
        """Store the parts as one content, durable on return; a key that exists stays as it is.

        Raises StorageFull, and leaves nothing behind.
        """

    def put_file(self, key: str, path: Path) -> None:
        """Like `put`, with a file's content; may move the file. Raises StorageFull.

        A folder takes files that lie in its own `incoming` folder, or on the same disk.
        """

    def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a content; fewer than `length` where it ends before. Raises Missing."""

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """The bytes of each (offset, length), offsets ascending; memory stays bounded.

        What lies beyond the end is left out. Raises Missing, with the first piece.
        """

    def open(self, key: str) -> BinaryIO:
        """The content as a file to read and seek in. Raises Missing."""

    def size(self, key: str) -> int:
        """Size in bytes. Raises Missing."""

    def keys(self, prefix: str = "") -> Iterator[tuple[str, int, float]]:
        """Key, size in bytes and time of the last change (Unix, s) of what is stored, unordered."""

    def delete(self, key: str) -> None:
        """Remove a content durably; no error if there is none."""

    def sweep(self, older_than_s: float) -> int:
        """Remove what cut-off writes left that long ago; answers how many."""

    def presigned(self, key: str, expires_s: int) -> str | None:
        """An address from which anybody may GET the content for that long; None for a folder."""


def open_storage(url: str, folder: Path) -> Storage:
    """The storage at an address: `s3://bucket/prefix`, a folder or `file://...`; empty: `folder`.

    S3 takes its credentials and endpoint from the `AWS_*` variables. Raises ValueError.
    """
    if not url:
        return LocalStorage(folder)
    scheme, separator, rest = url.partition("://")
    if not separator:
        return LocalStorage(Path(url))
    if scheme == "file" and rest.startswith("/"):
        return LocalStorage(Path(rest))
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    if scheme == "s3" and _BUCKET.fullmatch(bucket) and _PREFIX.fullmatch(prefix):
        return S3Storage(bucket, prefix)
    raise ValueError("artifacts lie in a folder, file:///path, or s3://bucket/prefix")
