"""The index: which objects there are, where they lie, what they refer to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import structlog

from hansard.formats.objects import Kind, Ref
from hansard.formats.packs import Entry
from infra.database import Connection

Names = Iterable[bytes]

_log = structlog.get_logger(__name__)

_PRESENT = "condemned IS NULL AND NOT damaged"
_ADD_OBJECTS = """
INSERT INTO object (name, kind, codec, raw, span, stored, pack, place, look)
SELECT DISTINCT ON (name) * FROM unnest(
    %(name)s::bytea[], %(kind)s::smallint[], %(codec)s::smallint[], %(raw)s::int[],
    %(span)s::bigint[], %(stored)s::int[], %(pack)s::text[], %(place)s::bigint[], %(look)s::text[]
) AS t(name, kind, codec, raw, span, stored, pack, place, look)
ON CONFLICT (name) DO UPDATE SET codec = excluded.codec, stored = excluded.stored,
    pack = excluded.pack, place = excluded.place, since = now(), condemned = NULL, damaged = false
WHERE object.damaged OR object.condemned IS NOT NULL
"""
_ADD_REFS = """
INSERT INTO ref SELECT DISTINCT ON (parent, child) * FROM unnest(
    %s::bytea[], %s::bytea[], %s::smallint[], %s::bigint[]
) AS t(parent, child, kind, size) ON CONFLICT DO NOTHING
"""
_DAMAGED = """
WITH locked AS MATERIALIZED (
    SELECT name FROM object WHERE name = ANY(%s) AND pack = %s ORDER BY name FOR UPDATE
)
UPDATE object o SET damaged = true FROM locked
WHERE o.name = locked.name AND o.pack = %s AND NOT o.damaged RETURNING o.name
"""
_UNSOUND = """
WITH RECURSIVE up(name) AS (
    SELECT name FROM object WHERE damaged
    UNION
    SELECT r.parent FROM up JOIN ref r ON r.child = up.name
)
SELECT name FROM up WHERE name = ANY(%s)
"""
_DOWN = """
WITH RECURSIVE down(name) AS (
    SELECT unnest(%s::bytea[])
    UNION
    SELECT r.child FROM down JOIN ref r ON r.parent = down.name
)
SELECT name FROM down LIMIT %s
"""


class Place(NamedTuple):
    """Where an object lies."""

    name: bytes
    kind: Kind
    codec: int
    raw: int
    span: int
    stored: int
    pack: str
    offset: int


class Described(NamedTuple):
    """An entry of a pack with what is known of its content."""

    entry: Entry
    children: tuple[Ref, ...]
    look: str | None

    @property
    def span(self) -> int:
        """Bytes of content: of a tree those of its pieces."""
        if self.entry.kind is Kind.TREE:
            return sum(child.size for child in self.children)
        return self.entry.raw


def present(connection: Connection, names: Names) -> set[bytes]:
    """Those that are there, whoever may know."""
    query = f"SELECT name FROM object WHERE name = ANY(%s) AND {_PRESENT}"
    return {name for (name,) in connection.execute(query, (list(names),))}


def places(connection: Connection, names: Names) -> dict[bytes, Place]:
    """Where objects lie, by name; what is missing, condemned or damaged is left out."""
    rows = connection.execute(
        "SELECT name, kind, codec, raw, span, stored, pack, place FROM object "
        f"WHERE name = ANY(%s) AND {_PRESENT}",
        (list(names),),
    )
    return {row[0]: Place(row[0], Kind(row[1]), *row[2:]) for row in rows}


def claim_pack(connection: Connection, pack: str, bytes_: int, *, loose: bool) -> bool:
    """Keep a pack from being removed until this transaction ends; begin one before.

    Answers whether there is such a pack with damaged objects, so that it must be written anew.
    """
    connection.execute(
        "INSERT INTO pack (id, bytes, loose) VALUES (%s, %s, %s) "
        "ON CONFLICT (id) DO UPDATE SET retired = NULL",
        (pack, bytes_, loose),
    )
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM object WHERE pack = %s AND damaged)", (pack,)
    ).fetchone()
    return row is not None and bool(row[0])


def add_pack(connection: Connection, pack: str, found: Sequence[Described]) -> None:
    """Enter what a durable, claimed pack holds. Objects that are there stay where they are."""
    with connection.transaction():
        connection.execute(_ADD_OBJECTS, _columns(pack, found))
        refs = [(d.entry.name, c.name, int(c.kind), c.size) for d in found for c in d.children]
        if refs:
            connection.execute(_ADD_REFS, [list(column) for column in zip(*refs, strict=True)])


def retire_empty(connection: Connection, pack: str | None = None) -> int:
    """Have packs that hold nothing any more removed after a while: this one, or all there are."""
    return connection.execute(
        "UPDATE pack SET retired = clock_timestamp() WHERE retired IS NULL "
        "AND (%(pack)s::text IS NULL OR id = %(pack)s) "
        "AND NOT EXISTS (SELECT FROM object WHERE object.pack = pack.id)",
        {"pack": pack},
    ).rowcount


def _columns(pack: str, found: Sequence[Described]) -> dict[str, list[object]]:
    entries = [each.entry for each in found]
    return {
        "name": [e.name for e in entries],
        "kind": [int(e.kind) for e in entries],
        "codec": [int(e.codec) for e in entries],
        "raw": [e.raw for e in entries],
        "span": [each.span for each in found],
        "stored": [e.stored for e in entries],
        "pack": [pack] * len(entries),
        "place": [e.offset for e in entries],
        "look": [each.look for each in found],
    }


def closure(connection: Connection, root: bytes, most: int) -> frozenset[bytes] | None:
    """The names of everything that a root reaches, its own included; None if there are more."""
    rows = connection.execute(_DOWN, ([root], most + 1)).fetchall()
    return frozenset(name for (name,) in rows) if len(rows) <= most else None


def open_upload(connection: Connection, upload: str, principal: str) -> bool:
    """Begin an upload or go on with it; False if it is somebody else's.

    One that was touched just now is not again: each write is a sync of the disk.
    """
    row = connection.execute(
        "SELECT principal = %s FROM upload WHERE id = %s AND touched > now() - interval '1 minute'",
        (principal, upload),
    ).fetchone()
    if row is not None:
        return bool(row[0])
    row = connection.execute(
        "INSERT INTO upload (id, principal) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE "
        "SET touched = now() WHERE upload.principal = excluded.principal RETURNING id",
        (upload, principal),
    ).fetchone()
    return row is not None


def allow(connection: Connection, upload: str, names: Names) -> None:
    """What was sent in an upload: its owner may commit it."""
    connection.execute(
        "INSERT INTO upload_object (upload, name, sent) SELECT %s, unnest(%s::bytea[]), true "
        "ON CONFLICT (upload, name) DO UPDATE SET sent = true WHERE NOT upload_object.sent",
        (upload, sorted(names)),
    )


def protect(connection: Connection, upload: str, names: Names) -> None:
    """Keep these from the garbage collection while an upload is open, and no more than that."""
    connection.execute(
        "INSERT INTO upload_object (upload, name) SELECT %s, unnest(%s::bytea[]) "
        "ON CONFLICT DO NOTHING",
        (upload, sorted(names)),
    )


def allowed(connection: Connection, upload: str, names: Names) -> set[bytes]:
    """Those that the upload's owner sent, in this upload or another open one, and are there."""
    rows = connection.execute(
        "SELECT DISTINCT s.name FROM upload_object s JOIN object o USING (name) "
        "JOIN upload u ON u.id = s.upload WHERE s.sent AND s.name = ANY(%s) "
        f"AND u.principal = (SELECT principal FROM upload WHERE id = %s) AND {_PRESENT}",
        (list(names), upload),
    )
    return {name for (name,) in rows}


def roots_above(connection: Connection, names: Names, most: int) -> list[bytes]:
    """Some roots, at most `most` for each name, that reach the names."""
    rows = connection.execute(
        "SELECT DISTINCT x.root FROM unnest(%s::bytea[]) n(name) CROSS JOIN LATERAL ("
        "WITH RECURSIVE up(node) AS (SELECT n.name UNION "
        "SELECT r.parent FROM up JOIN ref r ON r.child = up.node) "
        "SELECT o.name AS root FROM up JOIN object o ON o.name = up.node AND o.kind = %s LIMIT %s"
        ") x",
        (list(names), Kind.ROOT, most),
    )
    return [root for (root,) in rows]


def looks(connection: Connection, pieces: Names) -> dict[bytes, str]:
    """The formats that these pieces, at the beginning of a file, prove by themselves."""
    rows = connection.execute(
        "SELECT name, look FROM object WHERE name = ANY(%s) AND look IS NOT NULL", (list(pieces),)
    )
    return dict(rows.fetchall())


def inspected(connection: Connection, contents: Names) -> dict[bytes, set[str]]:
    """The formats of contents that were inspected and accepted before."""
    rows = connection.execute(
        "SELECT content, formats FROM inspected WHERE content = ANY(%s)", (list(contents),)
    )
    return {content: set(formats) for content, formats in rows}


def remember_inspected(connection: Connection, found: Mapping[bytes, set[str]]) -> None:
    """Remember that contents were accepted, of one file each or of several, and their formats."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO inspected VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [(content, sorted(formats)) for content, formats in found.items()],
        )


def mark_damaged(connection: Connection, pack: str, names: Sequence[bytes]) -> int:
    """Have those of the objects that still lie in this pack answered as missing; answers how many.

    The next client that has them sends them again.
    """
    found = connection.execute(_DAMAGED, (list(names), pack, pack)).fetchall()
    for (name,) in found:
        _log.error("object_damaged", object=name.hex(), pack=pack)
    return len(found)


def mark_whole(connection: Connection, pack: str, names: Names) -> None:
    """Have objects that lie in this pack read again: they were held to be damaged, and are not."""
    connection.execute(
        "UPDATE object SET damaged = false WHERE name = ANY(%s) AND pack = %s AND damaged",
        (list(names), pack),
    )


def unsound(connection: Connection, names: Names) -> set[bytes]:
    """Those of the names above something damaged: asked for from the top, they would hide it."""
    rows = connection.execute(_UNSOUND, (list(names),))
    return {name for (name,) in rows}
