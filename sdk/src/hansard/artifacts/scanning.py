"""Reads files once: where they are cut, what their pieces are called, what they are as a whole."""

import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
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
from hansard.formats.objects import Cut, File, Kind, Ref, name_of
from hansard.formats.safetensors import FormatError, header_length, parse_header

_SMALL = 16 << 10
"""A file up to here is one piece, whatever it holds."""
_HEADER = 8
_BUFFERS = 3

Window = tuple[memoryview, list[Span]]


class FileChanged(OSError):
    """A file was written to while it was read."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """A file of an artifact, its pieces in order, and its trees with their encoding."""

    file: File
    source: Path
    spans: Sequence[Span]
    names: Sequence[bytes]
    trees: Sequence[tuple[Ref, bytes]]


class Scanner:
    """Hashes in two threads while the caller's reads. `with` ends the threads."""

    def __init__(self) -> None:
        self._pieces = ThreadPoolExecutor(1, "hansard-pieces")
        self._whole = ThreadPoolExecutor(1, "hansard-whole")
        self._buffers: list[bytearray] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pieces.shutdown()
        self._whole.shutdown()

    def scan(self, source: Path, path: str) -> Scanned:
        """Read a plain file; `path` is its name in the artifact. Raises FileChanged, OSError."""
        # A pipe that was put in the file's place must not be waited for.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(source, flags)
        try:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise OSError(f"`{source}` is no plain file")
            if before.st_size <= _SMALL:
                found = _small(descriptor, before.st_size, source, path)
            else:
                found = self._large(descriptor, before.st_size, source, path)
            after = os.fstat(descriptor)
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                raise FileChanged(f"`{source}` was changed while it was read")
            return found
        finally:
            os.close(descriptor)

    def _large(self, descriptor: int, size: int, source: Path, path: str) -> Scanned:
        planned = _tensors(descriptor, size)
        if planned is not None:
            cut, windows = Cut.TENSORS, self._planned(descriptor, planned)
        elif CONTENT_RULE is Cut.CONTENT:
            cut, windows = Cut.CONTENT, self._content(descriptor, size)
        else:
            cut, windows = Cut.FIXED, self._planned(descriptor, fixed_spans(size))
        spans, names, digest = self._hash(windows)
        body, trees = gather(cut, spans, names)
        return Scanned(File(path, size, digest, cut, body), source, spans, names, trees)

    def _hash(self, windows: Iterator[Window]) -> tuple[list[Span], list[bytes], bytes]:
        whole = blake3()
        spans: list[Span] = []
        named: list[Future[list[bytes]]] = []
        added: list[Future[object]] = []
        for view, its in windows:
            named.append(self._pieces.submit(_names, view, its))
            added.append(self._whole.submit(whole.update, view))
            spans += its
            if len(named) >= _BUFFERS - 1:  # the buffer that is written next must be free
                named[1 - _BUFFERS].result()
                added[1 - _BUFFERS].result()
        for each in added:
            each.result()
        return spans, [name for each in named for name in each.result()], whole.digest()

    def _planned(self, descriptor: int, spans: Sequence[Span]) -> Iterator[Window]:
        """Windows of whole spans."""
        its: list[Span] = []
        size = 0
        for span in spans:
            if its and size + span.size > WINDOW_BYTES:
                yield self._read(descriptor, its[0].offset, size), its
                its, size = [], 0
            its.append(span)
            size += span.size
        if its:
            yield self._read(descriptor, its[0].offset, size), its

    def _content(self, descriptor: int, size: int) -> Iterator[Window]:
        """Windows that end where a piece ends; what is left begins the next one."""
        at = 0
        while at < size:
            length = min(WINDOW_BYTES, size - at)
            view = self._read(descriptor, at, length)
            sizes = content_sizes(view, last=at + length == size)
            its = []
            for each in sizes:
                its.append(Span(at, each))
                at += each
            yield view[: sum(sizes)], its

    def _read(self, descriptor: int, offset: int, length: int) -> memoryview:
        if not self._buffers:
            self._buffers += (bytearray(WINDOW_BYTES) for _ in range(_BUFFERS))
        buffer = self._buffers.pop(0)
        self._buffers.append(buffer)
        view = memoryview(buffer)[:length]
        done = 0
        while done < length:
            got = os.preadv(descriptor, [view[done:]], offset + done)
            if got == 0:
                raise FileChanged("a file became shorter while it was read")
            done += got
        return view


def _names(view: memoryview, spans: Sequence[Span]) -> list[bytes]:
    start = spans[0].offset
    return [
        name_of(Kind.PIECE, view[span.offset - start : span.offset - start + span.size])
        for span in spans
    ]


def _small(descriptor: int, size: int, source: Path, path: str) -> Scanned:
    content = os.pread(descriptor, _SMALL + 1, 0)
    if len(content) != size:
        raise FileChanged(f"`{source}` was changed while it was read")
    name = name_of(Kind.PIECE, content)
    if not content:
        return Scanned(File(path, 0, name, Cut.FIXED, ()), source, (), (), ())
    body = (Ref(Kind.PIECE, name, size),)
    return Scanned(File(path, size, name, Cut.FIXED, body), source, (Span(0, size),), (name,), ())


def _tensors(descriptor: int, size: int) -> list[Span] | None:
    """The pieces of a safetensors file; None for any other."""
    try:
        length = header_length(os.pread(descriptor, _HEADER, 0), size)
        header = parse_header(os.pread(descriptor, _HEADER + length, 0), size)
    except FormatError:
        return None
    return tensor_spans(header)
