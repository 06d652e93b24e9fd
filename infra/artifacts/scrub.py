"""Reads what is stored, pack by pack, and finds what is not as it was written.

A damaged object is answered as missing, so that the next client that has it heals it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import structlog

from infra.artifacts import index
from infra.artifacts.rewriting import places_in, read_checked
from infra.artifacts.storage import Storage, StorageFailed
from infra.database import Connection

_log = structlog.get_logger(__name__)

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """How much was read, and what was found."""

    packs: int = 0
    objects: int = 0
    damaged: int = 0
    unreadable: int = 0
    """Packs that the disk or the server failed to give: of their objects nothing is known."""


def scrub(
    storage: Storage,
    connection: Connection,
    share: float = 1.0,
    *,
    older_than_s: float = 0.0,
    progress: Progress = lambda done, of: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Scrubbed:
    """Verify a share of all packs, those first that were not verified for longest.

    `stopped` is asked before each whether to leave it at that.
    """
    rows = connection.execute(
        "SELECT id, verified < clock_timestamp() - %s * interval '1 s' FROM pack "
        "WHERE retired IS NULL ORDER BY verified",
        (older_than_s,),
    ).fetchall()
    due = [pack for pack, old in rows[: ceil(len(rows) * share)] if old]
    objects = damaged = unreadable = 0
    for done, pack in enumerate(due, 1):
        if stopped():
            break
        try:
            read, bad = verify_pack(storage, connection, pack)
        except StorageFailed as error:
            unreadable += 1
            _log.error("pack_unreadable", pack=pack, error=str(error))
        else:
            objects += read
            damaged += bad
        connection.execute("UPDATE pack SET verified = clock_timestamp() WHERE id = %s", (pack,))
        progress(done, len(due))
    return Scrubbed(len(due), objects, damaged, unreadable)


def verify_pack(storage: Storage, connection: Connection, pack: str) -> tuple[int, int]:
    """Decode and hash every object of a pack; how many there are, and are newly damaged.

    What was held to be damaged and is whole after all can be read again.

    Raises StorageFailed.
    """
    places = places_in(connection, pack, damaged=True)
    whole, bad = read_checked(storage, pack, places)
    index.mark_whole(connection, pack, [frame.name for frame in whole])
    return len(places), index.mark_damaged(connection, pack, bad) if bad else 0


def damaged_roots(connection: Connection) -> dict[bytes, int]:
    """The roots that reach damaged objects, and how many each."""
    rows = connection.execute(
        "SELECT x.root, count(*) FROM object d CROSS JOIN LATERAL ("
        "WITH RECURSIVE up (node) AS (SELECT d.name UNION "
        "SELECT r.parent FROM up JOIN ref r ON r.child = up.node) "
        "SELECT o.name AS root FROM up JOIN object o ON o.name = up.node AND o.kind = 3) x "
        "WHERE d.damaged AND d.condemned IS NULL GROUP BY x.root"
    )
    return dict(rows.fetchall())
