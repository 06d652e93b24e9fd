"""Small files: those that follow each other by path share a piece, and are read together.

Where a piece was made of the same files before, none of them is opened.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from blake3 import blake3

from hansard.artifacts.memo import facts_of
from hansard.artifacts.scanning import FileChanged
from hansard.formats.cutting import cluster_ends
from hansard.formats.objects import MAX_SHARED_BYTES, NAME_BYTES, Kind, Ref, encode_sharing

Suspect = Callable[[str, str], None]
"""Told a path and its file where that may be a pickle; raises to refuse it."""

_HEAD_BYTES = 1 + NAME_BYTES
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_SUSPICIOUS = (b"\x80", b"PK\x03\x04")


class Found(NamedTuple):
    """A local file as it was listed: its path in the artifact, where it lies, what it is."""

    path: str
    source: str
    facts: os.stat_result


class Cluster(NamedTuple):
    """Files that share a piece. `content` is empty where they were only remembered."""

    piece: Ref
    files: Sequence[Found]
    digests: Sequence[bytes]
    content: bytes
    ended: bool
    """Whether it would end here whatever came behind it."""

    @property
    def records(self) -> list[bytes]:
        """The records of the files."""
        paths = (file.path.encode() for file in self.files)
        sizes = (file.facts.st_size for file in self.files)
        return encode_sharing(self.piece, zip(paths, sizes, self.digests, strict=True))

    @property
    def remembered(self) -> bytes:
        """What a memo keeps of it."""
        return b"".join((bytes([self.ended]), self.piece.name, *self.digests))


def is_small(facts: os.stat_result) -> bool:
    """Whether a file shares a piece: an empty one needs none."""
    return 0 < facts.st_size <= MAX_SHARED_BYTES


def facts_of_all(files: Sequence[Found]) -> bytes:
    """What changes when one of the files does, or what they are called."""
    return b"".join([b"%s\0%s" % (file.path.encode(), facts_of(file.facts)) for file in files])


def clusters(
    files: Sequence[Found], known: Mapping[str, tuple[bytes, bytes]], suspect: Suspect | None
) -> Iterator[Cluster]:
    """The clusters of small files, which are in the order of their paths.

    `known` has facts and memory by the path of a first file. Raises FileChanged, OSError.
    """
    at = 0
    while at < len(files):
        found = _remembered(files, at, known.get(files[at].path)) or _read(files, at, suspect)
        yield found
        at += len(found.files)


def _remembered(
    files: Sequence[Found], at: int, memory: tuple[bytes, bytes] | None
) -> Cluster | None:
    facts, remembered = memory or (b"", b"")
    count, rest = divmod(len(remembered) - _HEAD_BYTES, NAME_BYTES)
    if count < 1 or rest:
        return None
    its, ended = files[at : at + count], bool(remembered[0])
    if (not ended and at + count < len(files)) or facts_of_all(its) != facts:
        return None
    piece, *digests = (
        remembered[start : start + NAME_BYTES] for start in range(1, len(remembered), NAME_BYTES)
    )
    size = sum(file.facts.st_size for file in its)
    return Cluster(Ref(Kind.PIECE, piece, size), its, digests, b"", ended)


def _read(files: Sequence[Found], first: int, suspect: Suspect | None) -> Cluster:
    contents: list[bytes] = []
    digests: list[bytes] = []
    size, ended = 0, False
    for at in range(first, len(files)):
        file = files[at]
        content = read_small(file.source, file.facts)
        if suspect is not None and content.startswith(_SUSPICIOUS):
            suspect(file.path, file.source)
        digest = blake3(content).digest()
        contents.append(content)
        digests.append(digest)
        size += len(content)
        ended = cluster_ends(digest, len(content), size)
        if ended:
            break
    its = files[first : first + len(contents)]
    whole = b"".join(contents)
    name = digests[0] if len(digests) == 1 else blake3(whole).digest()
    return Cluster(Ref(Kind.PIECE, name, size), its, digests, whole, ended)


def read_small(source: str, facts: os.stat_result) -> bytes:
    """The content of a plain file. Raises FileChanged where it is not as it was listed."""
    descriptor = os.open(source, _FLAGS)
    try:
        content = os.read(descriptor, MAX_SHARED_BYTES + 1)
        now = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if (now.st_mtime_ns, now.st_ino, len(content)) != (
        facts.st_mtime_ns,
        facts.st_ino,
        facts.st_size,
    ):
        raise FileChanged(f"`{source}` was changed while it was read")
    return content
