"""Reads files once: where they are cut, and what their pieces are called."""

import os
import stat
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Self

from blake3 import blake3

from hansard.formats.cutting import (
    CONTENT_RULE,
    WINDOW_BYTES,
    Span,
    content_sizes,
    fixed_spans,
    gather,
    tensor_spans,
)
from hansard.formats.objects import MAX_SHARED_BYTES, Cut, File, Kind, Ref, name_of
from hansard.formats.safetensors import FormatError, header_length, parse_header

_HEADER = 8
_THREADS = min(4, os.cpu_count() or 1)
STRETCH_BYTES = 256 << 10
"""Read and hashed at a time: what was read is still in the core's cache when it is hashed."""


class FileChanged(OSError):
    """A file was written to while it was read."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """A file of an artifact, its pieces in order, and its trees with their encoding."""

    file: File
    source: str
    spans: Sequence[Span]
    names: Sequence[bytes]
    trees: Sequence[tuple[Ref, bytes]]


class Scanner:
    """Hashes in several threads. `with` ends them."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, "hansard-scan")
        self._local = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def scan(self, source: str | Path, path: str) -> Scanned:
        """Read a plain file; `path` is its name in the artifact. Raises FileChanged, OSError."""
        # A pipe that was put in the file's place must not be waited for.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        source = os.fspath(source)
        descriptor = os.open(source, flags)
        try:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise OSError(f"`{source}` is no plain file")
            if before.st_size <= MAX_SHARED_BYTES:
                found = _small(descriptor, before.st_size, source, path)
            else:
                found = self._large(descriptor, before.st_size, source, path)
            after = os.fstat(descriptor)
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                raise FileChanged(f"`{source}` was changed while it was read")
            return found
        finally:
            os.close(descriptor)

    def _large(self, descriptor: int, size: int, source: str, path: str) -> Scanned:
        tensors = _tensors(descriptor, size)
        if tensors is not None:
            cut, spans = Cut.TENSORS, tensors
        elif CONTENT_RULE is Cut.CONTENT:
            cut, spans = Cut.CONTENT, list(_content_spans(descriptor, size))
        else:
            cut, spans = Cut.FIXED, fixed_spans(size)
        named = self._pool.map(lambda its: self._names(descriptor, its), _batches(spans))
        names = list(chain.from_iterable(named))
        body, trees = gather(cut, spans, names)
        return Scanned(File(path, size, cut, body), source, spans, names, trees)

    def _names(self, descriptor: int, spans: Sequence[Span]) -> list[bytes]:
        buffer: memoryview | None = getattr(self._local, "buffer", None)
        if buffer is None:
            buffer = self._local.buffer = memoryview(bytearray(STRETCH_BYTES))
        return [name_in(descriptor, span, buffer) for span in spans]


def name_in(descriptor: int, span: Span, buffer: memoryview) -> bytes:
    """The name of a piece, as `name_of` gives it, read through the buffer. Raises FileChanged."""
    hasher = blake3()
    at, end = span.offset, span.offset + span.size
    while at < end:
        got = _read(descriptor, buffer[: end - at], at)
        hasher.update(buffer[:got])
        at += got
    return hasher.digest()


def _read(descriptor: int, into: memoryview, offset: int) -> int:
    got = os.preadv(descriptor, [into], offset)
    if got == 0:
        raise FileChanged("a file became shorter while it was read")
    return got


def _batches(spans: Sequence[Span]) -> Iterator[list[Span]]:
    """Spans for one thread at a time."""
    batch: list[Span] = []
    size = 0
    for span in spans:
        batch.append(span)
        size += span.size
        if size >= WINDOW_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _content_spans(descriptor: int, size: int) -> Iterator[Span]:
    """Read in windows, each of which begins where a piece does."""
    buffer = memoryview(bytearray(min(size, WINDOW_BYTES)))
    at = 0
    while at < size:
        length = min(WINDOW_BYTES, size - at)
        done = 0
        while done < length:
            done += _read(descriptor, buffer[done:length], at + done)
        for each in content_sizes(buffer[:length], last=at + length == size):
            yield Span(at, each)
            at += each


def _small(descriptor: int, size: int, source: str, path: str) -> Scanned:
    content = os.pread(descriptor, MAX_SHARED_BYTES + 1, 0)
    if len(content) != size:
        raise FileChanged(f"`{source}` was changed while it was read")
    if not content:
        return Scanned(File(path, 0, Cut.FIXED, ()), source, (), (), ())
    name = name_of(Kind.PIECE, content)
    body = (Ref(Kind.PIECE, name, size),)
    return Scanned(File(path, size, Cut.FIXED, body), source, (Span(0, size),), (name,), ())


def _tensors(descriptor: int, size: int) -> list[Span] | None:
    """The pieces of a safetensors file; None for any other."""
    try:
        length = header_length(os.pread(descriptor, _HEADER, 0), size)
        header = parse_header(os.pread(descriptor, _HEADER + length, 0), size)
    except FormatError:
        return None
    return tensor_spans(header)
