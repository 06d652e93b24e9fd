"""Reads the in-box metric log from another process, while its writers go on."""

import json
import mmap
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hansard.formats.columns import Column, milliseconds
from hansard.formats.points import (
    COMMITTED,
    HEADER,
    HEADER_BYTES,
    LOST,
    MAGIC,
    RECORD,
    SEGMENT_BYTES,
    VERSION,
)

Position = dict[str, tuple[int, int]]
"""Writer name to (segment number, records read of it): what a resumed Reader starts from."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Raw records of one writer, in order (``points.RECORD`` each), and its keys by id.

    A record with key id 0 is a hole left by an interrupted call: skip it.
    """

    writer: str
    keys: Mapping[int, str]
    records: bytes

    def columns(self) -> list[Column]:
        """The points grouped by key in logged order; clock readings become milliseconds."""
        grouped: dict[int, tuple[array[int], array[float], array[int]]] = {}
        for key_id, _, step, value, seconds in RECORD.iter_unpack(self.records):
            if not key_id:
                continue
            arrays = grouped.get(key_id)
            if arrays is None:
                arrays = grouped[key_id] = (array("q"), array("d"), array("q"))
            arrays[0].append(step)
            arrays[1].append(value)
            arrays[2].append(milliseconds(seconds))
        return [Column(self.keys[key_id], *arrays) for key_id, arrays in grouped.items()]


class _KeyTable:
    """The keys of one writer, read as the file grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.keys: dict[int, str] = {}

    def refresh(self) -> None:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            whole = file.read().rpartition(b"\n")[0]
        if not whole:
            return
        self._offset += len(whole) + 1
        for line in whole.split(b"\n"):
            self.keys[len(self.keys) + 1] = json.loads(line)


class Reader:
    """Follows all writers of a step folder; ``position`` resumes where another one stopped."""

    def __init__(self, folder: Path, position: Position | None = None) -> None:
        self._folder = folder
        self._position: Position = {
            writer: (segment, count) for writer, (segment, count) in (position or {}).items()
        }
        self._tables: dict[str, _KeyTable] = {}
        self._lost: dict[tuple[str, int], int] = {}

    @property
    def position(self) -> Position:
        """What was read so far; plain numbers, fit for JSON."""
        return dict(self._position)

    @property
    def lost(self) -> int:
        """Points lost to a full disk in the segments that this Reader has read."""
        return sum(self._lost.values())

    def read_new(self, max_batches: int = 64) -> list[Batch]:
        """The points committed since the last call: at most one batch per segment.

        Raises ValueError if a segment is not one of this version.
        """
        batches: list[Batch] = []
        for path in sorted(self._folder.glob("keys.*.jsonl")):
            writer = path.name.removeprefix("keys.").removesuffix(".jsonl")
            table = self._tables.setdefault(writer, _KeyTable(path))
            while len(batches) < max_batches and (batch := self._next(writer, table)) is not None:
                batches.append(batch)
        return batches

    def _next(self, writer: str, table: _KeyTable) -> Batch | None:
        while True:
            segment, read = self._position.get(writer, (1, 0))
            # Looked for before the count is read: then a count that did not move is the last one.
            has_next = self._path(writer, segment + 1).exists()
            records = self._read(writer, segment, read)
            if records:
                self._position[writer] = (segment, read + len(records) // RECORD.size)
                table.refresh()  # after the records: a key is written before its first point
                return Batch(writer, table.keys, records)
            if not has_next:
                return None
            self._position[writer] = (segment + 1, 0)

    def _read(self, writer: str, segment: int, read: int) -> bytes:
        try:
            with self._path(writer, segment).open("rb") as file:
                mapped = mmap.mmap(file.fileno(), SEGMENT_BYTES, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            return b""
        with mapped:
            if HEADER.unpack_from(mapped)[:3] != (MAGIC, VERSION, RECORD.size):
                raise ValueError("not a point segment of this version")
            with memoryview(mapped) as view, view[:HEADER_BYTES] as head, head.cast("Q") as header:
                count = header[COMMITTED]
                self._lost[writer, segment] = header[LOST]
            start = HEADER_BYTES + read * RECORD.size
            return mapped[start : HEADER_BYTES + count * RECORD.size]

    def _path(self, writer: str, segment: int) -> Path:
        return self._folder / f"points.{writer}.{segment:06d}.seg"
