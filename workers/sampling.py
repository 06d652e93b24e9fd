"""When a step is measured, and where the figures go: every two seconds, to its outbox."""

import time
from array import array
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from hansard.formats.columns import Column
from hansard.formats.journal import Journal
from hansard.formats.points import HARDWARE_PREFIX
from workers.step_process import StepProcess

if TYPE_CHECKING:
    from workers.hardware import Meter

EVERY_S = 2.0
FIRST_AFTER_S = 1.0
"""Most steps that are shorter are over before there was something to measure."""


class Sampling:
    """Samples one step; `gpus` says whether to look at GPUs too."""

    def __init__(self, gpus: bool, journal: Journal) -> None:
        self._gpus = gpus
        self._journal = journal
        self._samples = 0
        self._due_at = time.monotonic() + FIRST_AFTER_S

    def tick(self, process: StepProcess) -> None:
        """Take a sample if it is time. What a full disk does not take is left out."""
        now = time.monotonic()
        if now < self._due_at:
            return
        self._due_at = now + EVERY_S
        steps, times = array("q", [self._samples]), array("q", [int(time.time() * 1000)])
        columns = [
            Column(f"{HARDWARE_PREFIX}{name}", steps, array("d", [value]), times)
            for name, value in self._meter.read(process).items()
        ]
        self._samples += 1
        with suppress(OSError):
            self._journal.hardware(columns)

    @cached_property
    def _meter(self) -> "Meter":
        # Its imports cost 20 ms, which steps of less than a second do not pay.
        from workers.hardware import Meter  # noqa: PLC0415

        return Meter(self._gpus)
