"""Writes the objects of a pack to a new one and lets the index point there, in one transaction.

A crash before its end leaves a pack that nothing refers to, one after it a pack that is not needed
any more: `collection` removes both. Whoever read where objects lay before finds them there for a
while; those whose place was looked up earlier are told that they are missing, and look again.
"""

from collections.abc import Callable, Sequence

from hansard.formats.objects import Kind, ObjectError
from hansard.formats.packs import FRAME, Entry, Frame, build_pack
from infra.artifacts import index
from infra.artifacts.index import Place
from infra.artifacts.receiving import pack_key, put_claimed
from infra.artifacts.storage import Missing, Storage
from infra.database import Connection

_MOVE = """
WITH n AS (
    SELECT * FROM unnest(%s::bytea[], %s::int[], %s::int[], %s::bigint[])
        AS n (name, codec, stored, place)
), locked AS MATERIALIZED (
    SELECT name FROM object JOIN n USING (name) WHERE pack = %s ORDER BY name FOR UPDATE OF object
)
UPDATE object o SET codec = n.codec, stored = n.stored, place = n.place, pack = %s
FROM n JOIN locked USING (name) WHERE o.name = n.name AND o.pack = %s
"""


def places_in(connection: Connection, pack: str, *, damaged: bool = False) -> list[Place]:
    """Where the objects of a pack lie, in this order; those held to be damaged only if asked."""
    rows = connection.execute(
        "SELECT name, kind, codec, raw, span, stored, pack, place FROM object "
        "WHERE pack = %s AND (%s OR NOT damaged) ORDER BY place",
        (pack, damaged),
    )
    return [Place(row[0], Kind(row[1]), *row[2:]) for row in rows]


def read_checked(
    storage: Storage, pack: str, places: Sequence[Place]
) -> tuple[list[Frame], list[bytes]]:
    """The frames at these places, and the names of those that are not what they must be.

    The header in front of a frame is checked too: it is sent as it stands there. Raises
    StorageFailed.
    """
    good: list[Frame] = []
    bad: list[bytes] = []
    ranges = [(p.offset - FRAME.size, FRAME.size + p.stored) for p in places]
    try:
        for place, data in zip(places, storage.read_ranges(pack_key(pack), ranges), strict=True):
            payload = memoryview(data)[FRAME.size :]
            frame = Frame(place.name, place.kind, place.codec, place.raw, payload)
            if _is_whole(frame, data[: FRAME.size]):
                good.append(frame)
            else:
                bad.append(place.name)
    except Missing:
        return [], [place.name for place in places]
    return good, bad


def _is_whole(frame: Frame, header: bytes) -> bool:
    try:
        frame.content()
    except ObjectError:
        return False
    return frame.header == header


def rewrite(
    storage: Storage,
    connection: Connection,
    pack: str,
    form: Callable[[Frame], Frame] = lambda frame: frame,
    *,
    loose: bool,
) -> int:
    """Write what is needed of a pack to a new one, in another form; answers the bytes it has.

    Every frame is decoded and hashed before the index points to it; what turns out to be damaged
    is marked, and stays behind. Raises StorageFailed, StorageFull.
    """
    frames, bad = read_checked(storage, pack, places_in(connection, pack))
    if bad:
        index.mark_damaged(connection, pack, bad)
    formed = [form(frame) for frame in frames]
    for frame in formed:
        frame.content()
    new, parts, entries = build_pack(formed)
    bytes_ = sum(map(len, parts)) if formed else 0
    with connection.transaction():
        if new != pack and formed:
            put_claimed(storage, connection, new, parts, loose=loose)
            _move(connection, pack, new, entries)
        connection.execute("UPDATE pack SET loose = %s WHERE id = %s", (loose, pack))
    return bytes_


def _move(connection: Connection, old: str, new: str, entries: Sequence[Entry]) -> None:
    columns = (
        [entry.name for entry in entries],
        [int(entry.codec) for entry in entries],
        [entry.stored for entry in entries],
        [entry.offset for entry in entries],
    )
    connection.execute(_MOVE, (*columns, old, new, old))
    index.retire_empty(connection, old)
