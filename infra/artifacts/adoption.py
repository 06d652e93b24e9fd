"""Reads what packs hold from the packs alone, and takes in those that the index does not know."""

import time
from collections.abc import Iterator, Sequence

import structlog

from hansard.formats.codec import Buffer
from hansard.formats.objects import Kind, ObjectError, Ref, children
from hansard.formats.packs import (
    TRAILER_BYTES,
    Entry,
    Frame,
    footer_range,
    read_footer,
    scan,
)
from infra.artifacts import index
from infra.artifacts.index import Described
from infra.artifacts.receiving import is_loose, pack_key
from infra.artifacts.storage import Missing, Storage
from infra.database import Connection

_PREFIX = "packs/"
_PACK_DIGITS = 64

_log = structlog.get_logger(__name__)


def adopt_unknown_packs(storage: Storage, connection: Connection, older_than_s: float) -> int:
    """Enter packs that were stored that long ago and never entered; answers how many.

    A crash between the two leaves them. What nothing refers to goes with the next collection.
    """
    known = {pack for (pack,) in connection.execute("SELECT id FROM pack")}
    latest = time.time() - older_than_s
    adopted = 0
    for pack, size, changed in stored_packs(storage):
        if pack not in known and changed <= latest:
            adopted += _adopt(storage, connection, pack, size)
    return adopted


def _adopt(storage: Storage, connection: Connection, pack: str, size: int) -> int:
    """Enter one pack. Its row is claimed before it is read, so that nobody removes it meanwhile."""
    try:
        with connection.transaction():
            index.claim_pack(connection, pack, size, loose=False)
            entries = read_entries(storage, pack, size)
            index.add_pack(connection, pack, described(storage, pack, entries))
            loose = any(map(is_loose, entries))
            connection.execute("UPDATE pack SET loose = %s WHERE id = %s", (loose, pack))
    except Missing:
        return 0
    _log.info("pack_adopted", pack=pack, objects=len(entries))
    return 1


def read_entries(storage: Storage, pack: str, size: int) -> list[Entry]:
    """What lies in a pack, by its footer; where that is damaged, all frames that are whole.

    Raises Missing, StorageFailed.
    """
    key = pack_key(pack)
    trailer = storage.read(key, max(0, size - TRAILER_BYTES), TRAILER_BYTES)
    try:
        return read_footer(storage.read(key, *footer_range(trailer, size)), trailer)
    except ObjectError as error:
        _log.warning("pack_footer_damaged", pack=pack, error=str(error))
        data = storage.read(key)
        return [entry for entry in scan(data) if _content(entry, data) is not None]


def described(storage: Storage, pack: str, entries: Sequence[Entry]) -> list[Described]:
    """The entries with what they refer to; trees, leaves and roots that are damaged are left out.

    Raises Missing, StorageFailed.
    """
    nodes = [entry for entry in entries if entry.kind is not Kind.PIECE]
    ranges = [(entry.offset, entry.stored) for entry in nodes]
    refs: dict[bytes, tuple[Ref, ...]] = {}
    for entry, payload in zip(nodes, storage.read_ranges(pack_key(pack), ranges), strict=True):
        raw = _decoded(entry, payload)
        if raw is not None:
            refs[entry.name] = children(entry.kind, bytes(raw))
    return [
        Described(entry, refs.get(entry.name, ()), None)
        for entry in entries
        if entry.kind is Kind.PIECE or entry.name in refs
    ]


def _content(entry: Entry, pack: bytes) -> Buffer | None:
    return _decoded(entry, memoryview(pack)[entry.offset : entry.offset + entry.stored])


def _decoded(entry: Entry, payload: Buffer) -> Buffer | None:
    try:
        return Frame(entry.name, entry.kind, entry.codec, entry.raw, payload).content()
    except ObjectError:
        return None


def stored_packs(storage: Storage) -> Iterator[tuple[str, int, float]]:
    """Id, size in bytes and time of the last change of each pack."""
    for key, size, changed in storage.keys(_PREFIX):
        pack = key.rpartition("/")[2]
        if len(pack) == _PACK_DIGITS and key == pack_key(pack):
            yield pack, size, changed
