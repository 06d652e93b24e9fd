"""Moves what a local run logs into its outbox, and says how it ended."""

import json
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from hansard.formats.journal import Journal
from hansard.point_pump import PointPump, PointsDamaged
from hansard.run_log import NOTES_NAME
from hansard.tracking.spool import Spool

MAX_TEXTS = 1000
MAX_LOGGED_BYTES = 768 * 1024
"""Of parameters and texts together: they go into one frame."""


class Recorder:
    """The single writer of a run's outbox; the caller holds the run's lock."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._journal = Journal(spool.outbox)
        self._proven = self._journal.seq == 0  # or points were moved that the root knows not of
        self._points = PointPump(spool.step, spool.intent, self._journal)

    @property
    def ended(self) -> bool:
        """Whether the last word was said."""
        return self._journal.ended

    def going(self) -> None:
        """Say that the run goes on."""
        self._journal.status("running")

    def move(self) -> None:
        """Move all new points. Raises OSError when the disk is full."""
        with suppress(PointsDamaged):
            while self._points.pump():
                pass

    def end(self, outcome: str, reason: str, **told: Any) -> None:
        """Move what is left, and say how the run ended."""
        self.move()
        proven = self._proven and outcome != "lost"
        root = self._points.root
        self._journal.end(
            {
                "outcome": outcome,
                "reason": reason[:2000],
                "metric_points": root.count if proven else None,
                "series_root": root.root() if proven else None,
                "metric_points_lost": self._points.lost,
                **_logged(self._spool),
                **told,
            }
        )

    def __enter__(self) -> Self:
        self._journal.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._journal.__exit__(kind, error, trace)


def _logged(spool: Spool) -> dict[str, Any]:
    """Parameters and texts that were logged, as far as they fit; the last ones win."""
    params: dict[str, Any] = {}
    texts: list[dict[str, Any]] = []
    room = MAX_LOGGED_BYTES
    try:
        lines = (spool.step / NOTES_NAME).read_bytes().splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        room -= len(line)
        if room < 0:
            break
        with suppress(ValueError, KeyError):  # torn by the end of the process
            _take(json.loads(line), params, texts)
    return {"logged": params, "texts": texts[:MAX_TEXTS]}


def _take(note: Mapping[str, Any], params: dict[str, Any], texts: list[dict[str, Any]]) -> None:
    if note["kind"] == "params":
        params.update(note["params"])
    elif note["kind"] == "text":
        texts.append({name: note[name] for name in ("name", "text", "time")})
