"""Moves metric points from the step's files to the outbox: none lost, none twice, whoever dies.

Before a frame is appended its number and the positions before and after it are noted. Whoever goes
on finds the frame in the outbox, and starts after it, or does not, and starts before it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hansard.formats.journal import Journal
from hansard.formats.points import HARDWARE_PREFIX, MAX_KEY_CHARS, RECORD
from hansard.formats.points_reader import Batch, Position, Reader
from hansard.formats.series_root import SeriesRoot

FRAME_POINTS = 3000
"""Even if each point has a key of its own, as long as a key may be, they fit into one frame."""

assert FRAME_POINTS * (4 * MAX_KEY_CHARS + 100) < 4 * 1024 * 1024
_FRAMES_AT_ONCE = 50


class PointsDamaged(ValueError):
    """The metric files were tampered with: what follows cannot be read."""


@dataclass(frozen=True, slots=True)
class _Slice:
    """Points for one frame, and where the reader stands after them."""

    batch: Batch
    after: Position


class PointPump:
    """Follows the points in a folder; `root` and `lost` speak of what this pump has moved.

    ``intent`` is the file in which it notes what it is about to do.
    """

    def __init__(self, folder: Path, intent: Path, journal: Journal) -> None:
        self._intent = intent
        self._journal = journal
        self._position = _recovered(intent, journal)
        self._reader = Reader(folder, self._position)
        self._slices = self._read()
        self.root = SeriesRoot()

    @property
    def lost(self) -> int:
        """Points that the step could not store because the disk was full."""
        return self._reader.lost

    def pump(self) -> bool:
        """Move new points, a bounded number of frames; False when nothing is left for now.

        Raises PointsDamaged, and OSError when the disk is full.
        """
        for _ in range(_FRAMES_AT_ONCE):
            piece = self._next()
            if piece is None:
                return False
            self._move(piece)
        return True

    def _next(self) -> _Slice | None:
        try:
            piece = next(self._slices, None)
        except (ValueError, KeyError, RecursionError) as error:
            raise PointsDamaged(f"metric files are damaged: {type(error).__name__}") from error
        if piece is None:
            self._slices = self._read()
        return piece

    def _move(self, piece: _Slice) -> None:
        try:
            columns = piece.batch.columns()
        except (KeyError, ValueError, OverflowError) as error:
            raise PointsDamaged(f"metric files are damaged: {type(error).__name__}") from error
        if any(column.key.startswith(HARDWARE_PREFIX) for column in columns):
            raise PointsDamaged(f"metric files are damaged: a key begins with {HARDWARE_PREFIX}")
        if columns:
            self._note(piece.after)
            self._journal.metrics(columns)
        self._position = piece.after
        for column in columns:
            self.root.add(column.key, column.steps, column.values, column.times)

    def _note(self, after: Position) -> None:
        intent = {"seq": self._journal.seq + 1, "before": self._position, "after": after}
        part = self._intent.with_suffix(".part")
        part.write_text(json.dumps(intent))
        part.rename(self._intent)

    def _read(self) -> Iterator[_Slice]:
        """Slices of what is there now; one batch at a time, to know whose position moved."""
        while batches := self._reader.read_new(max_batches=1):
            yield from _slices(batches[0], self._position, self._reader.position)


def _slices(batch: Batch, before: Position, after: Position) -> Iterator[_Slice]:
    segment, read = after[batch.writer]
    size = FRAME_POINTS * RECORD.size
    first = read - len(batch.records) // RECORD.size
    for at in range(0, len(batch.records), size):
        records = batch.records[at : at + size]
        end = first + (at + len(records)) // RECORD.size
        position = {**before, batch.writer: (segment, end)}
        yield _Slice(Batch(batch.writer, batch.keys, records), position)


def _recovered(path: Path, journal: Journal) -> Position:
    """Where the last one that moved points of this folder stood."""
    if not path.exists():
        return {}
    intent = json.loads(path.read_bytes())
    chosen = intent["after"] if journal.seq >= intent["seq"] else intent["before"]
    return {writer: (segment, read) for writer, (segment, read) in chosen.items()}
