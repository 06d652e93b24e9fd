"""Contents as objects of an S3 bucket."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from infra.artifacts.storage_errors import Missing, StorageFailed, disk_failures
from infra.artifacts.storage_keys import checked_key, checked_range, is_key

_COALESCE_BYTES = 64 << 10  # a gap this small costs less than another request
_BATCH_BYTES = 32 << 20  # of ranges held in memory at once
_READ_AHEAD_BYTES = 8 << 20
_SINGLE_PUT_BYTES = 32 << 20
_MAX_MULTIPART_PARTS = 10_000
_MULTIPARTS_AT_ONCE = 4
_CREATE_ATTEMPTS = 3
_SIZES_KEPT = 4096
_TIMEOUT = timedelta(seconds=60)  # of one request with its body: 32 MiB over a slow line
_MAX_RETRIES = 6


class S3Storage:
    """Objects `<prefix>/<key>`. Credentials, region and endpoint come from `AWS_*` variables."""

    def __init__(self, bucket: str, prefix: str = "") -> None:
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            client_options={"allow_http": endpoint.startswith("http://"), "timeout": _TIMEOUT},
            retry_config={"max_retries": _MAX_RETRIES, "retry_timeout": _TIMEOUT},
        )
        self._known_size = lru_cache(_SIZES_KEPT)(self.size)  # contents never change
        self._require_bucket()

    def put(self, key: str, parts: Sequence[bytes | bytearray | memoryview]) -> None:
        """Create an object unless it is there. Raises StorageFailed."""
        self._create(checked_key(key), parts)

    def put_file(self, key: str, path: Path) -> None:
        """Create an object from a file, which stays; a large one in parts. Raises StorageFailed."""
        with disk_failures():
            size = path.stat().st_size
            if size <= _SINGLE_PUT_BYTES:
                self._create(checked_key(key), [path.read_bytes()])
            elif not self._exists(key):
                self._upload(key, path, size)

    def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of an object. Raises Missing, StorageFailed."""
        checked_range(offset, length)
        if length is None:
            length = max(self._known_size(key) - offset, 0)
        return next(self.read_ranges(key, [(offset, length)]))

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """Pieces of an object, neighbours in one request. Raises Missing, StorageFailed."""
        size = self._known_size(key)
        for batch in _batches([_within(size, offset, length) for offset, length in ranges]):
            yield from self._fetch(key, batch)

    def open(self, key: str) -> BinaryIO:
        """The object as a file, read some MiB ahead. Raises Missing, StorageFailed."""
        file = _ObjectFile(self, key, self.size(key))
        return cast("BinaryIO", io.BufferedReader(file, _READ_AHEAD_BYTES))

    def size(self, key: str) -> int:
        """Size in bytes. Raises Missing, StorageFailed."""
        with _failures(checked_key(key)):
            return obstore.head(self._store, key)["size"]

    def keys(self, prefix: str = "") -> Iterator[tuple[str, int, float]]:
        """Key, size and time of the last change of every object."""
        folder = prefix.rpartition("/")[0]  # the library lists whole folders only
        if folder:
            checked_key(f"{folder}/x")
        with _failures(prefix):
            for page in obstore.list(self._store, folder or None, chunk_size=1000):
                for found in page:
                    if found["path"].startswith(prefix) and is_key(found["path"]):
                        yield found["path"], found["size"], found["last_modified"].timestamp()

    def delete(self, key: str) -> None:
        """Remove an object. Raises StorageFailed."""
        with _failures(checked_key(key)):
            obstore.delete(self._store, key)

    def sweep(self, older_than_s: float) -> int:
        """0: cut-off uploads in parts are left to a lifecycle rule of the bucket."""
        return 0

    def presigned(self, key: str, expires_s: int) -> str | None:
        """An address to GET the object, valid by the server's clock. Raises StorageFailed."""
        with _failures(checked_key(key)):
            return obstore.sign(self._store, "GET", key, timedelta(seconds=expires_s))

    def _require_bucket(self) -> None:
        """Raise StorageFailed, as without its bucket everything would seem to be missing."""
        try:
            with _failures("the bucket"):
                next(obstore.list(self._store, chunk_size=1), None)
        except Missing:
            raise StorageFailed("the bucket does not exist") from None

    def _create(self, key: str, parts: Sequence[bytes | bytearray | memoryview]) -> None:
        for _ in range(_CREATE_ATTEMPTS):
            try:
                with _failures(key):
                    obstore.put(self._store, key, parts or b"", mode="create")
            except AlreadyExistsError:  # or a conflict with a request at the same moment
                if self._exists(key):
                    return
            else:
                return
        raise StorageFailed(f"other requests keep interfering with {key}")

    def _upload(self, key: str, path: Path, size: int) -> None:
        part = max(_SINGLE_PUT_BYTES // 2, -(-size // _MAX_MULTIPART_PARTS))
        with _failures(key):
            obstore.put(
                self._store, key, path, chunk_size=part, max_concurrency=_MULTIPARTS_AT_ONCE
            )

    def _exists(self, key: str) -> bool:
        try:
            self.size(key)
        except Missing:
            return False
        return True

    def _fetch(self, key: str, ranges: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        wanted = [(offset, length) for offset, length in ranges if length]  # none may be empty
        with _failures(key):
            found = obstore.get_ranges(
                self._store,
                key,
                starts=[offset for offset, _ in wanted],
                lengths=[length for _, length in wanted],
                coalesce=_COALESCE_BYTES,
            )
        pieces = iter(found)
        for _, length in ranges:
            yield bytes(next(pieces)) if length else b""


class _ObjectFile(io.RawIOBase):
    """An object as an unbuffered file."""

    def __init__(self, storage: S3Storage, key: str, size: int) -> None:
        self._storage = storage
        self._key = key
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(start + offset, 0)
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self._read(None)  # in one request, where the base class asks for 8 KiB at a time

    def _read(self, length: int | None) -> bytes:
        data = self._storage.read(self._key, self._position, length)
        self._position += len(data)
        return data


@contextmanager
def _failures(key: str) -> Iterator[None]:
    """Turn the library's errors into ours, all but AlreadyExistsError."""
    try:
        yield
    except FileNotFoundError:
        raise Missing(key) from None
    except AlreadyExistsError:
        raise
    except BaseError as error:
        reason = str(error).partition("\n")[0]
        raise StorageFailed(f"the S3 server failed on {key}: {reason}") from error


def _within(size: int, offset: int, length: int) -> tuple[int, int]:
    """The part of a range that lies inside; the library panics at one that begins beyond."""
    checked_range(offset, length)
    return offset, min(max(size - offset, 0), length)


def _batches(ranges: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Runs of ranges that fit in memory together; at least one in each."""
    batch: list[tuple[int, int]] = []
    batch_bytes = 0
    for range_ in ranges:
        if batch and batch_bytes + range_[1] > _BATCH_BYTES:
            yield batch
            batch, batch_bytes = [], 0
        batch.append(range_)
        batch_bytes += range_[1]
    if batch:
        yield batch
