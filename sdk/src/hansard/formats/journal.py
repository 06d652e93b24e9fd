"""Writes an attempt's frames to its outbox, numbered without gaps."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hansard.formats.columns import Column, pack_metrics
from hansard.formats.frames import (
    Frame,
    ItemBatch,
    Kind,
    LogChunk,
    pack_items,
    pack_log,
    pack_status,
    unpack_status,
)
from hansard.formats.outbox import Outbox, read_from


class Journal:
    """The single writer of an outbox. Goes on after the last frame that is in the file.

    Any method raises OSError when the disk is full; the file stays whole.
    """

    def __init__(self, path: Path) -> None:
        self._outbox = Outbox(path)
        self.seq = 0
        """Number of the last frame."""
        self.ended = False
        """Whether the last word was said: nothing may follow."""
        for frame, _ in read_from(path):
            self.seq = frame.seq
            self.ended = is_end(frame)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._outbox.close()

    def metrics(self, columns: Iterable[Column]) -> None:
        """Append points."""
        self._append(Kind.METRICS, pack_metrics(columns))

    def hardware(self, columns: Iterable[Column]) -> None:
        """Append what was measured of the step."""
        self._append(Kind.HARDWARE, pack_metrics(columns))

    def log(self, chunk: LogChunk) -> None:
        """Append consecutive lines of one stream."""
        self._append(Kind.LOG, pack_log(chunk))

    def items(self, batch: ItemBatch) -> None:
        """Append items whose contents the platform has."""
        self._append(Kind.ITEMS, pack_items(batch))

    def status(self, state: str, **facts: Any) -> None:
        """Append what the attempt has come to."""
        self._append(Kind.STATUS, pack_status({"state": state, **facts}))

    def end(self, facts: Mapping[str, Any]) -> None:
        """Append the last frame and make all of them survive a loss of power."""
        self.status("ended", **facts)
        self._outbox.sync()
        self.ended = True

    def _append(self, kind: Kind, payload: bytes) -> None:
        self._outbox.append(Frame(self.seq + 1, kind, payload))
        self.seq += 1


def is_end(frame: Frame) -> bool:
    """Whether a frame is the last one of its attempt."""
    return frame.kind is Kind.STATUS and unpack_status(frame.payload).get("state") == "ended"
