"""Fetches what the cache lacks of an artifact, and puts its files where they are wanted.

Three connections fetch; each checks, decodes and writes what it gets straight to its place.
"""

import http.client
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from hansard.artifacts.cache import Cache
from hansard.artifacts.layout import Layout
from hansard.artifacts.link import Link
from hansard.artifacts.scanning import STRETCH_BYTES, FileChanged, name_in
from hansard.client_errors import Corrupt
from hansard.formats.codec import Buffer
from hansard.formats.cutting import Span
from hansard.formats.objects import Kind, ObjectError, Ref
from hansard.formats.packs import FRAME, Frame, read_frames

_BATCH_BYTES = 32 << 20
MOST_OPEN = 256
"""Files that are kept open while they are written; more are opened for each piece."""

_FETCHERS = 4

Progress = Callable[[int], None]


@dataclass(slots=True)
class Target:
    """A file that is being written; large ones are kept open."""

    path: Path
    descriptor: int | None

    def write(self, content: Buffer, offset: int) -> None:
        """Write at a place. Called by several threads."""
        if self.descriptor is not None:
            _write(self.descriptor, content, offset)
            return
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            _write(descriptor, content, offset)
        finally:
            os.close(descriptor)


@contextmanager
def closing_all() -> Iterator[list[int]]:
    """File descriptors, closed at the end."""
    opened: list[int] = []
    try:
        yield opened
    finally:
        for descriptor in opened:
            os.close(descriptor)


class Place(NamedTuple):
    """Where a piece goes, or the stretch of it that belongs to a file."""

    target: Target
    offset: int
    start: int = 0
    end: int | None = None

    def put(self, content: Buffer) -> None:
        """Write what belongs here of the content of the piece."""
        self.target.write(memoryview(content)[self.start : self.end], self.offset)


Places = Mapping[bytes, Sequence[Place]]


def fetch_parts(
    link: Link, artifact: str, layout: Layout, cache: Cache, on_progress: Progress = lambda _: None
) -> dict[bytes, Path]:
    """The file of each part, fetched where the cache lacks it.

    Raises Refused, Unreachable, Corrupt, OSError.
    """
    found: dict[bytes, Path] = {}
    lacking: list[Ref] = []
    for part in layout.parts().values():
        path = cache.find(part, partial(intact, pieces=layout.pieces(part)))
        if path is None:
            lacking.append(part)
        else:
            found[part.name] = path
            on_progress(part.size)
    if lacking:
        found |= _fetch(link, artifact, layout, cache, lacking, on_progress)
        cache.trim_if_due(sum(part.size for part in lacking), layout.parts().values())
    return found


def _fetch(
    link: Link,
    artifact: str,
    layout: Layout,
    cache: Cache,
    lacking: Sequence[Ref],
    on_progress: Progress,
) -> dict[bytes, Path]:
    incoming = {part.name: cache.incoming() for part in lacking}
    try:
        with closing_all() as opened:
            places: dict[bytes, list[Place]] = {}
            wanted: dict[bytes, Ref] = {}
            for part in lacking:
                target, at = _incoming(incoming[part.name], opened), 0
                for piece in layout.pieces(part):
                    places.setdefault(piece.name, []).append(Place(target, at))
                    wanted[piece.name] = piece
                    at += piece.size
            fetch_pieces(link, artifact, list(wanted.values()), places, on_progress)
        return {part.name: cache.keep(incoming[part.name], part) for part in lacking}
    finally:
        for path in incoming.values():
            path.unlink(missing_ok=True)


def _incoming(path: Path, opened: list[int]) -> Target:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    if len(opened) >= MOST_OPEN:
        os.close(descriptor)
        return Target(path, None)
    opened.append(descriptor)
    return Target(path, descriptor)


def fetch_pieces(
    link: Link, artifact: str, pieces: Sequence[Ref], places: Places, on_progress: Progress
) -> None:
    """Fetch pieces and write each to all of its places. Raises Refused, Unreachable, Corrupt."""

    def fetch(batch: Sequence[Ref]) -> None:
        body = b"".join(piece.name for piece in batch)
        expected = {piece.name: piece.size for piece in batch}
        path = f"/v1/artifacts/{artifact}/get"
        link.take("POST", path, [body], lambda answer: _take(answer, dict(expected), places))
        on_progress(sum(expected.values()))

    batches = list(_batches(pieces))
    if len(batches) <= 1:  # a thread would need a connection of its own
        for batch in batches:
            fetch(batch)
        return
    with ThreadPoolExecutor(_FETCHERS, "hansard-fetch") as pool:
        going = [pool.submit(fetch, batch) for batch in batches]
        try:
            for each in going:
                each.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _take(answer: http.client.HTTPResponse, expected: dict[bytes, int], places: Places) -> None:
    for frame in _frames(answer):
        if expected.pop(frame.name, None) != frame.raw or frame.kind is not Kind.PIECE:
            raise Corrupt("the platform sent something that was not asked for")
        try:
            content = frame.content()
        except ObjectError as error:
            raise Corrupt(str(error)) from None
        for place in places[frame.name]:
            place.put(content)
    if expected:
        raise http.client.IncompleteRead(b"")


def _frames(answer: http.client.HTTPResponse) -> Iterator[Frame]:
    """Frames as they arrive, in a buffer that the next one overwrites."""
    buffer = memoryview(bytearray(FRAME.size + (4 << 20)))
    while answer.length:
        _fill(answer, buffer[: FRAME.size])
        stored = FRAME.unpack_from(buffer)[-1]
        end = FRAME.size + stored
        if end > len(buffer):
            raise Corrupt("the platform sent a frame that is too long")
        _fill(answer, buffer[FRAME.size : end])
        try:
            yield from read_frames(buffer[:end])
        except ObjectError as error:
            raise Corrupt(str(error)) from None


def _fill(answer: http.client.HTTPResponse, view: memoryview) -> None:
    done = 0
    while done < len(view):
        got = answer.readinto(view[done:])
        if not got:
            raise http.client.IncompleteRead(b"")
        done += got


def _write(descriptor: int, content: Buffer, offset: int) -> None:
    view, done = memoryview(content), 0
    while done < len(view):
        done += os.pwrite(descriptor, view[done:], offset + done)


def _batches(pieces: Sequence[Ref]) -> Iterator[list[Ref]]:
    batch: list[Ref] = []
    size = 0
    for piece in pieces:
        if batch and (size + piece.size > _BATCH_BYTES or len(batch) == 4096):
            yield batch
            batch, size = [], 0
        batch.append(piece)
        size += piece.size
    if batch:
        yield batch


def intact(path: Path, pieces: Sequence[Ref]) -> bool:
    """Whether a part has the content of its pieces."""
    buffer, at = memoryview(bytearray(STRETCH_BYTES)), 0
    with path.open("rb", buffering=0) as file, suppress(FileChanged):
        for piece in pieces:
            if name_in(file.fileno(), Span(at, piece.size), buffer) != piece.name:
                return False
            at += piece.size
        return True
    return False  # it is too short
