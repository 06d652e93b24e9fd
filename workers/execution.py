"""Runs the step's process to its end: drains its pipes, moves its points, stops it if it must."""

import os
import selectors
import signal
import time
from dataclasses import dataclass
from typing import TypeAlias

from hansard.formats.journal import Journal
from hansard.point_pump import PointPump, PointsDamaged
from workers.faults import AttemptFault, StepFault
from workers.item_pump import ItemPump
from workers.line_log import LineLog
from workers.redaction import Redaction
from workers.sampling import Sampling
from workers.step_process import StepProcess
from workers.watch import Watch

TICK_S = 0.2
_PIECE = 256 * 1024
_Ready: TypeAlias = list[tuple[selectors.SelectorKey, int]]
_DRAIN_S = 2.0
"""How long pipes are read after the end, in case a process that got away holds them open."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the runner ended, and why it was stopped or damaged its record, if so."""

    exit_code: int
    stopped: AttemptFault | None
    damage: StepFault | None


class Execution:
    """One run of the runner. `run` returns when nothing of the step is alive any more."""

    def __init__(
        self,
        journal: Journal,
        watch: Watch,
        points: PointPump,
        items: ItemPump,
        redaction: Redaction,
    ) -> None:
        self._journal = journal
        self._redaction = redaction
        self._watch = watch
        self._points = points
        self._items = items
        self._damage: StepFault | None = None
        self._stopped: AttemptFault | None = None
        self._kill_at = float("inf")
        self._grace_s = watch.spec.grace_s
        self._logs: list[LineLog] = []
        self._sampling = Sampling(watch.spec.gpus > 0, journal)

    def run(self, process: StepProcess) -> Ended:
        """Follow a started process to its end. Raises OSError when the disk is full."""
        with selectors.DefaultSelector() as selector:
            for name, stream in process.streams.items():
                log = LineLog(name, self._journal, self._redaction)
                self._logs.append(log)
                selector.register(stream, selectors.EVENT_READ, log)
            selector.register(process.ended, selectors.EVENT_READ)
            self._follow(process, selector)
            code = process.reap()
            selector.unregister(process.ended)
            self._drain(selector)
        if code != 0:
            self._stopped = self._stopped or process.bounds.cause_of_death(code)
        return Ended(code, self._stopped, self._damage)

    def _follow(self, process: StepProcess, selector: selectors.BaseSelector) -> None:
        next_tick = time.monotonic()
        while True:
            ready = selector.select(max(0.0, next_tick - time.monotonic()))
            if any(key.fd == process.ended for key, _ in ready):
                return
            _read(ready, selector)
            if time.monotonic() >= next_tick:
                self._flush()
                self._items.tick()
                self._sampling.tick(process)
                self._stop_if_due(process)
                next_tick = time.monotonic() + TICK_S

    def _flush(self) -> bool:
        """Write what has come; False when no points are left for now."""
        for log in self._logs:
            log.flush()
        if self._damage:
            return False
        try:
            return self._points.pump()
        except PointsDamaged as damage:
            self._damage = StepFault(str(damage))
            return False

    def _stop_if_due(self, process: StepProcess) -> None:
        if self._stopped is None:
            self._stopped = self._reason(process)
        elif time.monotonic() >= self._kill_at:
            process.signal(signal.SIGKILL)

    def _reason(self, process: StepProcess) -> AttemptFault | None:
        """Why to stop, and its beginning: at once for who takes too much, else with some grace."""
        if breach := process.bounds.breach():
            process.signal(signal.SIGKILL)
            return breach
        reason = self._watch.reason() or self._damage
        if reason is not None:
            self._kill_at = time.monotonic() + self._grace_s
            process.signal(signal.SIGTERM)
        return reason

    def _drain(self, selector: selectors.BaseSelector) -> None:
        deadline = time.monotonic() + _DRAIN_S
        while selector.get_map() and time.monotonic() < deadline:
            _read(selector.select(TICK_S), selector)
        for log in self._logs:
            log.end()
        while self._flush():
            pass


def _read(ready: _Ready, selector: selectors.BaseSelector) -> None:
    for key, _ in ready:
        data = os.read(key.fd, _PIECE)
        if data:
            key.data.feed(data)
        else:
            selector.unregister(key.fileobj)
