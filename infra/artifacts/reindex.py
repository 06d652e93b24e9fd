"""Rebuilds the index from the packs alone, compares it with the live one, and puts that right.

The new tables lie in a schema of their own. Nothing is removed from the storage meanwhile.
"""

from collections.abc import Callable
from dataclasses import dataclass

from psycopg import sql

from infra.artifacts import index
from infra.artifacts.adoption import described, read_entries, stored_packs
from infra.artifacts.collection import alone
from infra.artifacts.connections import MIGRATIONS, SCHEMA
from infra.artifacts.receiving import is_loose
from infra.artifacts.storage import Missing, Storage
from infra.database import Connection, connect, migrate

BESIDE = "store_rebuild"

Progress = Callable[[int, int], None]

_JUDGED = """
CREATE TEMP TABLE judged ON COMMIT DROP AS
SELECT o.name, n.name IS NULL AS unfound,
    NOT EXISTS (
        SELECT FROM store_rebuild.copy c WHERE c.name = o.name AND c.pack = o.pack
        AND (c.place, c.codec, c.stored) = (o.place, o.codec, o.stored)
    ) AS misplaced,
    (o.kind, o.raw, o.span) <> (n.kind, n.raw, n.span) OR EXISTS (
        (SELECT child, size FROM ref WHERE parent = o.name
         EXCEPT SELECT child, size FROM store_rebuild.ref WHERE parent = o.name)
        UNION ALL
        (SELECT child, size FROM store_rebuild.ref WHERE parent = o.name
         EXCEPT SELECT child, size FROM ref WHERE parent = o.name)
    ) AS differing
FROM object o LEFT JOIN store_rebuild.object n USING (name) LEFT JOIN pack p ON p.id = o.pack
WHERE NOT o.damaged AND (p.since IS NULL OR p.since < %s)
"""
_COUNTS = """
SELECT count(*) FILTER (WHERE unfound), count(*) FILTER (WHERE misplaced AND NOT unfound),
    count(*) FILTER (WHERE differing AND NOT unfound) FROM judged
"""
_PUT_RIGHT = (
    "UPDATE object o SET damaged = true FROM judged j WHERE j.name = o.name AND j.unfound",
    "UPDATE object o SET pack = n.pack, place = n.place, codec = n.codec, stored = n.stored "
    "FROM judged j, store_rebuild.object n "
    "WHERE j.misplaced AND o.name = j.name AND n.name = j.name",
    "UPDATE object o SET kind = n.kind, raw = n.raw, span = n.span "
    "FROM judged j, store_rebuild.object n "
    "WHERE j.differing AND o.name = j.name AND n.name = j.name",
    "DELETE FROM ref USING judged j WHERE j.differing AND ref.parent = j.name",
    "INSERT INTO pack SELECT * FROM store_rebuild.pack ON CONFLICT DO NOTHING",
)
_ENTER = "INSERT INTO object SELECT * FROM store_rebuild.object ON CONFLICT DO NOTHING"
_ENTER_REFS = (
    "INSERT INTO ref SELECT r.* FROM store_rebuild.ref r JOIN object o ON o.name = r.parent "
    "ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What the packs hold, and in how far the index says the same.

    `unfound` objects are in no pack, `misplaced` ones not where the index says, `differing` ones
    of another kind or size, or with other references; all of them are put right. `unindexed` ones
    lie in packs only: garbage that was removed already, or all of it after the index was lost.
    """

    packs: int
    objects: int
    unfound: int
    misplaced: int
    differing: int
    unindexed: int

    @property
    def equal(self) -> bool:
        """Whether the index says what the packs say."""
        return not (self.unfound or self.misplaced or self.differing)


def reindex(
    storage: Storage, postgres_url: str, progress: Progress = lambda done, of: None
) -> Reindexed:
    """Build an index beside the live one, compare, and put the live one right.

    Servers may go on meanwhile. Raises StorageFailed.
    """
    migrate(postgres_url, SCHEMA, MIGRATIONS)
    drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(BESIDE))
    with connect(postgres_url, SCHEMA) as live, alone(live):
        row = live.execute("SELECT clock_timestamp()").fetchone()
        live.execute(drop)
        migrate(postgres_url, BESIDE, MIGRATIONS)
        with connect(postgres_url, BESIDE) as beside:
            packs = _build(storage, beside, progress)
        found = _compare(live, packs, row[0] if row else None)
        live.execute(drop)
    return found


def _build(storage: Storage, beside: Connection, progress: Progress) -> int:
    """Fill the new tables; `copy` tells of every place at which an object lies."""
    beside.execute(
        "CREATE TABLE copy (name bytea, pack text, place bigint, codec smallint, stored int)"
    )
    packs = list(stored_packs(storage))
    for done, (pack, size, _) in enumerate(packs, 1):
        _enter(storage, beside, pack, size)
        progress(done, len(packs))
    beside.execute("CREATE INDEX ON copy (name)")
    beside.execute(
        "UPDATE object o SET pack = c.pack, place = c.place, codec = c.codec, stored = c.stored "
        "FROM (SELECT DISTINCT ON (name) * FROM copy ORDER BY name, stored, pack) c "
        "WHERE c.name = o.name AND c.pack <> o.pack"
    )
    beside.execute("ANALYZE")
    return len(packs)


def _enter(storage: Storage, beside: Connection, pack: str, size: int) -> None:
    try:
        entries = read_entries(storage, pack, size)
        found = described(storage, pack, entries)
    except Missing:  # removed by hand: there is nothing in it
        return
    with beside.transaction():
        index.claim_pack(beside, pack, size, loose=any(map(is_loose, entries)))
        index.add_pack(beside, pack, found)
        with beside.cursor().copy("COPY copy FROM STDIN") as copy:
            for each in found:
                e = each.entry
                copy.write_row((e.name, pack, e.offset, int(e.codec), e.stored))


def _compare(live: Connection, packs: int, begun: object) -> Reindexed:
    """Judge what was there when the building began, and put right what is not as the packs say."""
    with live.transaction():
        live.execute("LOCK TABLE pack, object IN SHARE ROW EXCLUSIVE MODE")
        live.execute(_JUDGED, (begun,))
        row = live.execute(_COUNTS).fetchone()
        for statement in _PUT_RIGHT:
            live.execute(statement)
        entered = live.execute(_ENTER).rowcount
        live.execute(_ENTER_REFS)
        total = live.execute("SELECT count(*) FROM store_rebuild.object").fetchone()
    assert row is not None
    assert total is not None
    unfound, misplaced, differing = row
    return Reindexed(packs, total[0], unfound, misplaced, differing, entered)
