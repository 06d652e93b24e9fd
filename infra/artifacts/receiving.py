"""Takes in what clients send: checks every frame, makes one durable pack of what is new.

Nothing is visible before the pack is on the disk and in the index, in this order: a crash between
them leaves a pack that the index can be told of later, never an object that is not there.
"""

from collections.abc import Callable

from hansard.formats.codec import Buffer, Codec
from hansard.formats.objects import Kind, ObjectError, Ref, children
from hansard.formats.packs import Entry, Frame, build_pack, read_frames
from infra.artifacts import index
from infra.artifacts.index import Described
from infra.artifacts.storage import Storage
from infra.database import Connection

FirstLook = Callable[[bytes, int], str | None]

HEAD_BYTES = 64 << 10
MAX_CONTENT_BYTES = 64 << 20
"""Of all objects in one request, decoded: compressed, a small one could keep a server for hours."""

MAX_FRAMES = 65_536

_WORTH_RETRYING = 4096  # raw objects below it are not recompressed


def pack_key(pack: str) -> str:
    """Where a pack lies in the storage."""
    return f"packs/{pack[:2]}/{pack}"


class Arrival:
    """The frames of one request, each checked against its name."""

    def __init__(self, body: Buffer, first_look: FirstLook) -> None:
        """Raises ObjectError for anything that is not what it says."""
        self.frames: dict[bytes, Frame] = {}
        self._described: dict[bytes, tuple[tuple[Ref, ...], str | None]] = {}
        size = 0
        for number, frame in enumerate(read_frames(body), 1):
            if number > MAX_FRAMES:
                raise ObjectError(f"a request holds at most {MAX_FRAMES} objects")
            size += frame.raw
            if size > MAX_CONTENT_BYTES:
                raise ObjectError(f"a request holds at most {MAX_CONTENT_BYTES} bytes of content")
            raw = frame.content()
            self.frames[frame.name] = frame
            if frame.kind is Kind.PIECE:
                look = first_look(bytes(raw[:HEAD_BYTES]), len(raw))
                self._described[frame.name] = ((), look)
            else:
                self._described[frame.name] = (_children(frame.kind, bytes(raw)), None)
        if not self.frames:
            raise ObjectError("there are no frames in this request")

    def store(self, storage: Storage, connection: Connection, upload: str) -> int:
        """Keep what is new, and let the upload commit all of it; answers the new stored bytes."""
        known = index.present(connection, self.frames)
        new = [frame for name, frame in self.frames.items() if name not in known]
        with connection.transaction():
            stored = write_pack(storage, connection, new, self._of) if new else 0
            index.allow(connection, upload, self.frames)
        return stored

    def _of(self, entry: Entry) -> Described:
        return Described(entry, *self._described[entry.name])


def write_pack(
    storage: Storage,
    connection: Connection,
    frames: list[Frame],
    describe: Callable[[Entry], Described],
) -> int:
    """A durable, indexed pack of these frames; answers its bytes."""
    pack, parts, entries = build_pack(frames)
    with connection.transaction():
        put_claimed(storage, connection, pack, parts, loose=any(map(is_loose, entries)))
        index.add_pack(connection, pack, [describe(e) for e in entries])
    return sum(map(len, parts))


def put_claimed(
    storage: Storage, connection: Connection, pack: str, parts: list[Buffer], *, loose: bool
) -> None:
    """Write a pack, claimed first: the collection may be removing another of the same content."""
    if index.claim_pack(connection, pack, sum(map(len, parts)), loose=loose):
        storage.delete(pack_key(pack))  # a storage leaves what exists as it is
    storage.put(pack_key(pack), parts)


def _children(kind: Kind, raw: bytes) -> tuple[Ref, ...]:
    """What a node refers to, where it says the same of an object wherever it names it.

    The index keeps one description of each, and a commit is checked by the index.
    """
    found = children(kind, raw)
    if len(set(found)) != len({ref.name for ref in found}):
        raise ObjectError("a node says of one object that it has two sizes or kinds")
    return found


def is_loose(entry: Entry) -> bool:
    """Whether an object is stored raw and large enough to be tried smaller."""
    return entry.codec == Codec.RAW and entry.raw >= _WORTH_RETRYING
