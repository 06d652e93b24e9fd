"""What every data source is: a listing, ranges of bytes, and what identifies the content now."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from hansard.formats.archive import check_names
from hansard.formats.problems import BundleError
from hansard.sources.errors import SourceError, SourceMissing, SourceTooLarge
from hansard.sources.libraries import require

PIECE_BYTES = 1024 * 1024
MAX_ENTRIES = 1_000_000
MAX_NAMED_ENTRIES = 1_000
"""A fingerprint names its entries up to this many; of more it holds the count and a digest."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a source: a safe relative path, its bytes if known, and what identifies it.

    `digest` is the BLAKE3 of the content (64 hexadecimal digits) once the whole of it was read.
    """

    path: str
    size: int | None
    fingerprint: str
    digest: str | None = None


class Source(Protocol):
    """Files that are read where they are. A context manager: closing frees what it holds."""

    kind: str

    @property
    def parallel_ranges(self) -> bool:
        """Whether several ranges of one file come faster than one after the other."""

    def list(self) -> Iterator[Entry]:
        """The files, sorted by the bytes of their paths. What is seen now is what `open` reads."""

    def open(self, path: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes from `start`, `length` of them or all, in pieces.

        Raises SourceChanged when the file is not what `list` saw, NotResumable when a range cannot
        be had for certain, SourceUnavailable when the connection is cut.
        """

    def fingerprint(self) -> dict[str, Any]:
        """JSON that identifies the content now, without secrets."""

    def close(self) -> None:
        """Free what is held: temporary files, connections."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None: ...


class Closing:
    """The part of a source that is a context manager."""

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def checked(entries: Iterable[Entry]) -> list[Entry]:
    """The entries in order. Raises SourceMissing for none, SourceError for an unsafe path."""
    found: list[Entry] = []
    for entry in entries:
        if len(found) == MAX_ENTRIES:
            raise SourceTooLarge(f"a source has at most {MAX_ENTRIES} files")
        found.append(entry)
    if not found:
        raise SourceMissing("there are no files at this address")
    try:
        check_names(entry.path for entry in found)
    except BundleError as error:
        raise SourceError(f"a file's name cannot be kept: {error}") from None
    return sorted(found, key=lambda entry: entry.path.encode())


def file_digest(path: Path) -> str:
    """The BLAKE3 of a file: read, not mapped, so that a large one does not fill the memory."""
    digest = require("blake3").blake3()
    with path.open("rb", buffering=0) as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
    return str(digest.hexdigest())


def known(entries: dict[str, Entry], path: str) -> Entry:
    """The listed entry of a path. Raises SourceMissing."""
    entry = entries.get(path)
    if entry is None:
        raise SourceMissing(f"the source has no file `{path}`")
    return entry


def check_range(start: int, length: int | None) -> None:
    """Raises SourceError for a range that runs backwards."""
    if start < 0 or (length is not None and length < 0):
        raise SourceError("a range begins at 0 or later and has no negative length")


def summary(entries: list[Entry]) -> dict[str, Any]:
    """The members of a fingerprint that say which files there are, and what identifies each."""
    digest = require("blake3").blake3()
    for entry in entries:
        digest.update(f"{entry.path}\0{entry.size}\0{entry.fingerprint}\n".encode())
    found: dict[str, Any] = {"count": len(entries), "entries_digest": digest.hexdigest()}
    if len(entries) <= MAX_NAMED_ENTRIES:
        found["entries"] = [
            {"path": entry.path, "size": entry.size, "fingerprint": entry.fingerprint}
            for entry in entries
        ]
    return found
