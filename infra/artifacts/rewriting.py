"""Writes the objects of a pack to a new one and lets the index point there, in one transaction.

A crash before its end leaves a pack that nothing refers to, one after it a pack that is not needed
any more: `collection` removes both. Whoever read where objects lay before finds them there for a
while; those whose place was looked up earlier are told that they are missing, and look again.
"""

from collections.abc import Callable, Sequence

import structlog

from hansard.formats.objects import Kind, ObjectError
from hansard.formats.packs import FRAME, Entry, Frame, build_pack
from infra.artifacts import index
from infra.artifacts.index import Place
from infra.artifacts.receiving import pack_key, put_claimed
from infra.artifacts.storage import Missing, Storage
from infra.database import Connection

_log = structlog.get_logger(__name__)

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
_DAMAGED = """
WITH locked AS MATERIALIZED (
    SELECT name FROM object WHERE name = ANY(%s) AND pack = %s ORDER BY name FOR UPDATE
)
UPDATE object o SET damaged = true FROM locked
WHERE o.name = locked.name AND o.pack = %s AND NOT o.damaged RETURNING o.name
"""


def places_in(connection: Connection, pack: str) -> list[Place]:
    """Where the objects of a pack lie that are not known to be damaged, in this order."""
    rows = connection.execute(
        "SELECT name, kind, codec, raw, span, stored, pack, place FROM object "
        "WHERE pack = %s AND NOT damaged ORDER BY place",
        (pack,),
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


def mark_damaged(connection: Connection, pack: str, names: Sequence[bytes]) -> int:
    """Have those of the objects that still lie in this pack answered as missing; answers how many.

    The next client that has them sends them again.
    """
    found = connection.execute(_DAMAGED, (list(names), pack, pack)).fetchall()
    for (name,) in found:
        _log.error("object_damaged", object=name.hex(), pack=pack)
    return len(found)


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
        mark_damaged(connection, pack, bad)
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
