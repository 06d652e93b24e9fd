"""Hands out objects as they are stored, and files as they were."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from hansard.formats.codec import Buffer
from hansard.formats.objects import (
    File,
    Kind,
    ObjectError,
    Ref,
    decode_leaf,
    decode_root,
    decode_tree,
)
from hansard.formats.packs import FRAME, Frame
from infra.artifacts import index
from infra.artifacts.index import Place
from infra.artifacts.receiving import pack_key
from infra.artifacts.storage import Missing, Storage
from infra.database import Connection

_STRETCH_BYTES = 1 << 20


class ObjectsMissing(Exception):
    """Objects that the index does not know, or whose pack has gone."""

    def __init__(self, names: Sequence[bytes]) -> None:
        super().__init__(f"{len(names)} objects are missing")
        self.names = names


def plan(connection: Connection, names: Iterable[bytes]) -> list[Place]:
    """Where these objects lie, in the order to read them. Raises ObjectsMissing."""
    wanted = dict.fromkeys(names)
    found = index.places(connection, wanted)
    if len(found) < len(wanted):
        raise ObjectsMissing([name for name in wanted if name not in found])
    return sorted(found.values(), key=lambda place: (place.pack, place.offset))


def read_frames(storage: Storage, planned: list[Place]) -> Iterator[Frame]:
    """The frames of a plan. Raises ObjectsMissing if a pack was replaced since."""
    try:
        yield from _frames(storage, planned)
    except Missing:
        raise ObjectsMissing([place.name for place in planned]) from None


def _frames(storage: Storage, planned: list[Place]) -> Iterator[Frame]:
    for pack, group in groupby(planned, key=lambda place: place.pack):
        its = list(group)
        payloads = storage.read_ranges(pack_key(pack), [(p.offset, p.stored) for p in its])
        for place, payload in zip(its, payloads, strict=True):
            yield Frame(place.name, place.kind, place.codec, place.raw, payload)


def read_wire(storage: Storage, planned: Sequence[Place]) -> Iterator[bytes]:
    """The frames of a plan as bytes: neighbours in a pack stand there just as they are sent.

    Raises ObjectsMissing if a pack was replaced since.
    """
    try:
        for pack, group in groupby(planned, key=lambda place: place.pack):
            yield from storage.read_ranges(pack_key(pack), _stretches(list(group)))
    except Missing:
        raise ObjectsMissing([place.name for place in planned]) from None


def _stretches(places: Sequence[Place]) -> list[tuple[int, int]]:
    """Offsets and lengths of neighbours together, up to a megabyte or one frame."""
    found: list[tuple[int, int]] = []
    for place in places:
        start, length = place.offset - FRAME.size, FRAME.size + place.stored
        if found and sum(found[-1]) == start and found[-1][1] + length <= _STRETCH_BYTES:
            start, length = found[-1][0], found[-1][1] + length
            found.pop()
        found.append((start, length))
    return found


def read_objects(
    storage: Storage, connection: Connection, names: Iterable[bytes]
) -> dict[bytes, Buffer]:
    """Raw content by name, checked; a pack that was replaced meanwhile is looked up once more.

    What turns out lost or damaged is answered as missing from then on, so that it is sent again.
    Raises ObjectsMissing.
    """
    wanted = list(names)
    try:
        planned = plan(connection, wanted)
        frames = list(read_frames(storage, planned))
    except ObjectsMissing:
        planned = plan(connection, wanted)
        try:
            frames = list(read_frames(storage, planned))
        except ObjectsMissing as missing:
            for pack in _lost_packs(storage, planned):
                its = [place.name for place in planned if place.pack == pack]
                index.mark_damaged(connection, pack, its)
            raise missing from None
    found: dict[bytes, Buffer] = {}
    for frame in frames:
        try:
            found[frame.name] = frame.content()
        except ObjectError:
            pack = next(place.pack for place in planned if place.name == frame.name)
            index.mark_damaged(connection, pack, [frame.name])
    if len(found) < len(frames):
        raise ObjectsMissing([frame.name for frame in frames if frame.name not in found])
    return found


def _lost_packs(storage: Storage, planned: Sequence[Place]) -> list[str]:
    lost = []
    for pack in {place.pack for place in planned}:
        try:
            storage.size(pack_key(pack))
        except Missing:
            lost.append(pack)
    return lost


def layout(storage: Storage, connection: Connection, root: bytes) -> list[Frame]:
    """The root, its leaves and their trees: all that tells how an artifact is made of pieces."""

    def frames(names: Iterable[bytes]) -> list[Frame]:
        return list(read_frames(storage, plan(connection, names)))

    top = frames([root])
    leaves = frames(leaf.name for leaf in decode_root(bytes(top[0].content())).leaves)
    trees = {
        part.name: None
        for leaf in leaves
        for file in decode_leaf(bytes(leaf.content()))
        for part in file.body
        if part.kind is Kind.TREE
    }
    return [*top, *leaves, *frames(trees)]


def leaf_files(storage: Storage, connection: Connection, leaf: bytes) -> tuple[File, ...]:
    """The files of one leaf. Raises ObjectsMissing, ObjectError."""
    return decode_leaf(bytes(read_objects(storage, connection, [leaf])[leaf]))


def files(storage: Storage, connection: Connection, root: bytes) -> Iterator[File]:
    """The files of an artifact, sorted by path."""
    top = decode_root(bytes(read_objects(storage, connection, [root])[root]))
    for leaf in top.leaves:
        yield from leaf_files(storage, connection, leaf.name)


class FileReader:
    """One file of an artifact, decoded on demand; keeps the last piece. Not for several threads."""

    def __init__(self, storage: Storage, connection: Connection, file: File) -> None:
        self.size = file.size
        self._storage = storage
        self._connection = connection
        self._body = file.body
        self._before = file.offset
        self._last: tuple[bytes, bytes] = (b"", b"")

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes. Raises ObjectsMissing, ObjectError."""
        return b"".join(self.pieces(offset, length))

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        """The stretch, piece by piece."""
        end = min(self.size, offset + length)
        for piece, start in self._parts(self._body, -self._before, offset, end):
            raw = self._raw(piece)
            yield raw[max(0, offset - start) : end - start]

    def _parts(
        self, refs: Sequence[Ref], at: int, offset: int, end: int
    ) -> Iterator[tuple[Ref, int]]:
        for ref in refs:
            if at < end and at + ref.size > offset:
                if ref.kind is Kind.TREE:
                    inner = decode_tree(self._raw(ref))
                    yield from self._parts(inner, at, offset, end)
                else:
                    yield ref, at
            at += ref.size

    def _raw(self, ref: Ref) -> bytes:
        if self._last[0] != ref.name:
            found = read_objects(self._storage, self._connection, [ref.name])
            self._last = (ref.name, bytes(found[ref.name]))
        return self._last[1]
