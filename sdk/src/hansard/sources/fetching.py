"""Copies a source into an empty folder: in parallel, resumed where cut, all of it or nothing."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

from hansard.sources.contract import Entry, Source, checked, file_digest
from hansard.sources.errors import NotResumable, SourceChanged, SourceUnavailable

Progress = Callable[[int], None]
PART_BYTES = 32 * 1024 * 1024
MAX_ATTEMPTS = 8
_THREADS = 8
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 3.0
_DIGEST = "blake3:"


@dataclass(frozen=True, slots=True)
class _Part:
    """A range of a file; `length` is None for all of a file whose size is not known."""

    entry: Entry
    start: int
    length: int | None


def fetch(source: Source, folder: Path, on_progress: Progress | None = None) -> list[Entry]:
    """Every file of a source, in a folder that is empty or not there yet.

    Answers the entries with their sizes and digests. `on_progress` is told the bytes that came,
    by several threads, but never at once. Raises FileExistsError, SourceError; the folder is then
    left as empty as it was.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is not an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        entries = checked(source.list())
        try:
            _copy_all(source, folder, _parts(entries, split=source.parallel_ranges), on_progress)
        except NotResumable:  # the server promised ranges, and sends none
            _empty(folder)
            _copy_all(source, folder, _parts(entries, split=False), on_progress)
        with ThreadPoolExecutor(_THREADS) as threads:
            return list(threads.map(lambda entry: _verified(entry, folder), entries))
    except BaseException:
        _empty(folder)
        raise


def _parts(entries: list[Entry], *, split: bool) -> list[_Part]:
    parts: list[_Part] = []
    for entry in entries:
        if not split or entry.size is None or entry.size <= PART_BYTES:
            parts.append(_Part(entry, 0, entry.size))
            continue
        parts += [
            _Part(entry, start, min(PART_BYTES, entry.size - start))
            for start in range(0, entry.size, PART_BYTES)
        ]
    return parts


def _copy_all(
    source: Source, folder: Path, parts: list[_Part], on_progress: Progress | None
) -> None:
    """Raises the first failure, by which the other copies stop too."""
    for part in parts:
        if part.start == 0:
            path = folder / part.entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(exist_ok=False)
    stopped, telling = threading.Event(), threading.Lock()

    def tell(count: int) -> None:
        if on_progress is not None:
            with telling:
                on_progress(count)

    with ThreadPoolExecutor(_THREADS) as threads:
        copies = [
            threads.submit(_Copy(source, part, folder / part.entry.path, tell, stopped).run)
            for part in parts
        ]
        try:
            for copy in wait(copies, return_when=FIRST_EXCEPTION).done:
                copy.result()
        finally:
            stopped.set()
            threads.shutdown(cancel_futures=True)


class _Copy:
    """One part on its way into its file, over as many connections as it takes."""

    def __init__(
        self, source: Source, part: _Part, path: Path, tell: Progress, stopped: threading.Event
    ) -> None:
        self._source = source
        self._part = part
        self._path = path
        self._tell = tell
        self._stopped = stopped
        self._at = 0

    def run(self) -> None:
        """Raises SourceUnavailable after MAX_ATTEMPTS, and what cannot pass at once."""
        with self._path.open("r+b", buffering=0) as file:
            for attempt in range(1, MAX_ATTEMPTS + 1):
                try:
                    self._continue(file.fileno())
                    return
                except SourceUnavailable:
                    if attempt == MAX_ATTEMPTS:
                        raise
                except NotResumable:
                    if attempt == MAX_ATTEMPTS or self._part.start or not self._at:
                        raise
                    self._at = 0
                    file.truncate(0)
                if self._stopped.wait(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**attempt)):
                    return

    def _continue(self, descriptor: int) -> None:
        part = self._part
        for piece in self._opened():
            if self._stopped.is_set():
                return
            self._write(descriptor, piece)
            if part.length is not None and self._at > part.length:
                raise SourceChanged(f"`{part.entry.path}` is longer than it was when listed")
        if part.length is not None and self._at < part.length:
            raise SourceChanged(f"`{part.entry.path}` is shorter than it was when listed")

    def _opened(self) -> Iterator[bytes]:
        part = self._part
        if not (part.start or self._at) and part.length == part.entry.size:
            return self._source.open(part.entry.path)
        length = None if part.length is None else part.length - self._at
        return self._source.open(part.entry.path, part.start + self._at, length)

    def _write(self, descriptor: int, piece: bytes) -> None:
        left = memoryview(piece)
        while left:
            count = os.pwrite(descriptor, left, self._part.start + self._at)
            self._at += count
            left = left[count:]
        self._tell(len(piece))


def _verified(entry: Entry, folder: Path) -> Entry:
    path = folder / entry.path
    found = file_digest(path)
    if entry.fingerprint.startswith(_DIGEST) and entry.fingerprint != _DIGEST + found:
        raise SourceChanged(f"`{entry.path}` does not have the digest it was listed with")
    return replace(entry, size=path.stat().st_size, digest=found)


def _empty(folder: Path) -> None:
    for item in folder.iterdir():
        if item.is_dir():
            shutil.rmtree(item)
        else:
            item.unlink()
