"""Removes what no artifact needs: first it is condemned, then removed, then its packs shrink.

Why nothing is lost that a commit is about to need. A commit touches its upload, has the upload
allow all that its root refers to, finds those objects present, and then appends its event. The
transaction that condemns has begun before it reads the record; it locks the uploads, and only then
takes what they protect and condemns the rest. So a commit either allowed its objects before the
lock: they are protected, by the upload until the record tells of them. Or it allows them after the
lock was released: it finds what was condemned missing, and is refused. An upload counts as open by
the time at which the transaction began, so it does not matter how old the record's position is.

What a young or a protected object refers to is kept with it: what is present is present as a whole.
Condemned objects are answered as missing everywhere, and come back by being sent again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from hansard.formats.objects import Kind
from hansard.formats.packs import FRAME
from infra.artifacts import index
from infra.artifacts.connections import COMMIT_LOCK
from infra.artifacts.receiving import pack_key
from infra.artifacts.rewriting import rewrite
from infra.artifacts.roots import Roots
from infra.artifacts.storage import Storage
from infra.database import Connection

ReadRoots = Callable[[], Roots]

_HOUR_S = 3600.0
_BATCH = 10_000
_ENTRY_BYTES = 50  # of an object in the footer of a pack
_FRAMING_BYTES = FRAME.size + _ENTRY_BYTES

_MARK = """
WITH RECURSIVE down (name) AS (
    {seeds}
    UNION
    SELECT r.child FROM down JOIN ref r ON r.parent = down.name
    WHERE NOT EXISTS (SELECT FROM marked m WHERE m.name = r.child)
)
INSERT INTO marked SELECT name FROM down ON CONFLICT DO NOTHING
"""
_LIVE = "SELECT unnest(%(live)s::bytea[])"
_YOUNG = "SELECT name FROM object WHERE since > now() - %(young)s * interval '1 s'"
# An upload of which an artifact was made has done its work: it need not keep its objects for long.
_UPLOADED = """
SELECT o.name FROM upload u JOIN upload_object o ON o.upload = u.id
WHERE u.touched > now() - %(committed)s * interval '1 s'
OR u.touched > now() - %(upload)s * interval '1 s' AND NOT EXISTS (
    SELECT FROM upload_object r JOIN object t ON t.name = r.name AND t.kind = %(root)s
    WHERE r.upload = u.id AND r.name = ANY(%(roots)s))
"""
_REVIVE = """
WITH needed AS MATERIALIZED (
    SELECT o.name FROM object o JOIN marked USING (name)
    WHERE o.condemned IS NOT NULL ORDER BY o.name FOR UPDATE OF o
)
UPDATE object o SET condemned = NULL FROM needed WHERE o.name = needed.name
"""
_CONDEMN = """
WITH garbage AS MATERIALIZED (
    SELECT o.name FROM object o
    WHERE o.condemned IS NULL AND o.since <= now() - %(young)s * interval '1 s'
    AND NOT EXISTS (SELECT FROM marked m WHERE m.name = o.name)
    ORDER BY o.name FOR UPDATE OF o
), gone AS (
    UPDATE object o SET condemned = clock_timestamp() FROM garbage g
    WHERE o.name = g.name RETURNING o.stored
)
SELECT count(*), coalesce(sum(stored), 0)::bigint FROM gone
"""
_REMOVE = """
WITH garbage AS MATERIALIZED (
    SELECT name FROM object WHERE condemned <= clock_timestamp() - %s * interval '1 s'
    ORDER BY name LIMIT %s FOR UPDATE
), gone AS (
    DELETE FROM object o USING garbage g WHERE o.name = g.name RETURNING o.name, o.stored
), unlinked AS (
    DELETE FROM ref USING gone WHERE ref.parent = gone.name
)
SELECT count(*), coalesce(sum(stored), 0)::bigint FROM gone
"""
_HALF_EMPTY = """
SELECT p.id, p.loose, p.bytes FROM pack p JOIN object o ON o.pack = p.id AND NOT o.damaged
GROUP BY p.id HAVING 2 * sum(o.stored + %s) < p.bytes
"""


class RecordBehind(Exception):
    """The record ends before where it ended at an earlier collection; nothing was condemned."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things are left alone, in seconds."""

    young_s: float = 24 * _HOUR_S
    """An object that nothing refers to, before it is condemned."""
    condemned_s: float = _HOUR_S
    """A condemned object, before it is removed."""
    upload_s: float = 24 * _HOUR_S
    """An upload that is not gone on with, before it is forgotten."""
    committed_s: float = _HOUR_S
    """What an upload protects after an artifact was made of it."""
    retired_s: float = 60.0
    """An empty pack, which somebody may be reading still, before it is removed."""

    @classmethod
    def grace(cls, hours: float) -> "Limits":
        """What is not needed goes after so many hours; uploads keep their time."""
        seconds = hours * _HOUR_S
        return cls(
            young_s=seconds,
            condemned_s=min(_HOUR_S, seconds),
            committed_s=min(_HOUR_S, seconds),
            retired_s=min(60.0, seconds),
        )


@dataclass(frozen=True, slots=True)
class Collected:
    """What one collection did; `freed` is bytes that the storage has less."""

    condemned: int = 0
    condemned_bytes: int = 0
    revived: int = 0
    removed: int = 0
    removed_bytes: int = 0
    freed: int = 0


def collect(
    storage: Storage,
    connection: Connection,
    read_roots: ReadRoots,
    limits: Limits,
    *,
    dry_run: bool = False,
) -> Collected:
    """Condemn, remove, shrink; one at a time. `dry_run` says what would be condemned.

    Raises RecordBehind, UnknownEvent, LogUnavailable, StorageFailed, StorageFull.
    """
    with alone(connection):
        condemned, bytes_, revived = condemn(connection, read_roots, limits, dry_run=dry_run)
        if dry_run:
            return Collected(condemned, bytes_, revived)
        removed, removed_bytes = remove_objects(connection, limits.condemned_s)
        grown = shrink_packs(storage, connection)
        freed = _remove_packs(storage, connection, limits.retired_s) - grown
    return Collected(condemned, bytes_, revived, removed, removed_bytes, freed)


def condemn(
    connection: Connection, read_roots: ReadRoots, limits: Limits, *, dry_run: bool = False
) -> tuple[int, int, int]:
    """Condemn what is old and not needed, revive what is; objects, their bytes, and the revived.

    Raises RecordBehind, and what `read_roots` raises.
    """
    with connection.transaction() as transaction:
        connection.execute("CREATE TEMP TABLE marked (name bytea PRIMARY KEY) ON COMMIT DROP")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (COMMIT_LOCK,))
        roots = read_roots()
        _advance(connection, roots.position)
        values = {
            "live": list(roots.live),
            "roots": list(roots.live | roots.gone),
            "root": Kind.ROOT,
            "young": limits.young_s,
            "upload": limits.upload_s,
            "committed": limits.committed_s,
        }
        _mark(connection, _LIVE, values)
        connection.execute("ANALYZE marked")
        connection.execute("LOCK TABLE upload, upload_object IN SHARE ROW EXCLUSIVE MODE")
        _mark(connection, _UPLOADED, values)
        _mark(connection, _YOUNG, values)
        revived = connection.execute(_REVIVE).rowcount
        row = connection.execute(_CONDEMN, values).fetchone()
        expired = "DELETE FROM upload WHERE touched <= now() - %(upload)s * interval '1 s'"
        connection.execute(expired, values)
        if dry_run:
            raise psycopg.Rollback(transaction)
    assert row is not None
    return row[0], row[1], revived


def _mark(connection: Connection, seeds: str, values: dict[str, object]) -> None:
    connection.execute(_MARK.format(seeds=seeds), values)


def _advance(connection: Connection, position: int) -> None:
    """Remember how far the record goes. Raises RecordBehind."""
    row = connection.execute("SELECT max(position) FROM collection").fetchone()
    before = row[0] if row else None
    if before is None:
        connection.execute("INSERT INTO collection VALUES (%s)", (position,))
    elif position < before:
        raise RecordBehind(f"the record's artifacts end at {position}, and went on to {before}")
    else:
        connection.execute("UPDATE collection SET position = %s", (position,))


def remove_objects(connection: Connection, condemned_s: float) -> tuple[int, int]:
    """Forget objects that were condemned that long ago; how many, and their stored bytes."""
    objects = bytes_ = 0
    while True:
        row = connection.execute(_REMOVE, (condemned_s, _BATCH)).fetchone()
        assert row is not None
        if row[0] == 0:
            return objects, bytes_
        objects += row[0]
        bytes_ += row[1]


def shrink_packs(storage: Storage, connection: Connection) -> int:
    """Write packs of which less than half is needed anew, smaller; answers the bytes written.

    Raises StorageFailed, StorageFull.
    """
    found = connection.execute(_HALF_EMPTY, (_FRAMING_BYTES,)).fetchall()
    return sum(rewrite(storage, connection, pack, loose=loose) for pack, loose, _ in found)


def remove_packs(storage: Storage, connection: Connection, retired_s: float) -> int:
    """Remove packs that have been empty that long; answers their bytes. Raises StorageFailed."""
    with alone(connection):
        return _remove_packs(storage, connection, retired_s)


def _remove_packs(storage: Storage, connection: Connection, retired_s: float) -> int:
    index.retire_empty(connection)
    rows = connection.execute(
        "SELECT id FROM pack WHERE retired <= clock_timestamp() - %s * interval '1 s'",
        (retired_s,),
    ).fetchall()
    return sum(_remove_pack(storage, connection, pack) for (pack,) in rows)


def _remove_pack(storage: Storage, connection: Connection, pack: str) -> int:
    """Its row stays locked until its file is gone: an upload of the same content waits."""
    with connection.transaction():
        row = connection.execute(
            "SELECT bytes FROM pack WHERE id = %s AND retired IS NOT NULL FOR UPDATE SKIP LOCKED",
            (pack,),
        ).fetchone()
        if row is None:
            return 0
        used = "SELECT FROM object WHERE pack = %s LIMIT 1"  # asked only once the row is locked
        if connection.execute(used, (pack,)).fetchone() is not None:
            connection.execute("UPDATE pack SET retired = NULL WHERE id = %s", (pack,))
            return 0
        storage.delete(pack_key(pack))
        connection.execute("DELETE FROM pack WHERE id = %s", (pack,))
        return int(row[0])


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """Wait until nobody else removes anything from the storage, and be the one who may."""
    connection.execute("SELECT pg_advisory_lock(hashtext('collection of artifacts'))")
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("SELECT pg_advisory_unlock(hashtext('collection of artifacts'))")
