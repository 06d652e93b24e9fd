"""What the processes of a step take of their node, read from outside: /proc, and NVML for GPUs."""

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

from infra.accelerators import usage_of
from workers.step_process import StepProcess

_MB = 1024 * 1024
_DISK_EVERY = 5
_MOST_FILES = 10_000
_TICK_S = 0.01  # the kernel counts processor time in these


class Meter:
    """Reads one step again and again. What ended between two readings counts as last seen."""

    def __init__(self, gpus: bool) -> None:
        self._gpus = gpus
        self._totals: dict[tuple[int, float], tuple[float, int, int]] = {}
        self._cpu_s = 0.0
        self._read_at: float | None = None
        self._readings = 0
        self._disk_mb = 0.0

    def read(self, process: StepProcess) -> dict[str, float]:
        """Figures by name. Percents are of one CPU or GPU; seconds and bytes are since the start.

        `cpu_percent` is of the time since the last reading, so that the first one has none.
        `memory_mb` is resident memory; what processes share is counted for each. `disk_mb` is what
        the step's folder holds; of a folder with very many files, the first ones found.
        """
        found = _tree(process.pid)
        resident = sum(self._take(each) for each in found)
        if self._readings % _DISK_EVERY == 0:
            self._disk_mb = _size(process.step) / _MB
        self._readings += 1
        return {
            **self._processor(),
            "memory_mb": resident / _MB,
            "processes": float(len(found)),
            "read_mb": sum(read for _, read, _ in self._totals.values()) / _MB,
            "write_mb": sum(written for _, _, written in self._totals.values()) / _MB,
            "disk_mb": self._disk_mb,
            **(_gpus({each.pid for each in found}) if self._gpus else {}),
        }

    def _take(self, process: psutil.Process) -> int:
        """Note the totals of a process; answers its resident bytes."""
        with suppress(psutil.Error), process.oneshot():
            times, counters = process.cpu_times(), process.io_counters()
            self._totals[process.pid, process.create_time()] = (
                times.user + times.system,
                counters.read_bytes,
                counters.write_bytes,
            )
            return int(process.memory_info().rss)
        return 0

    def _processor(self) -> dict[str, float]:
        now, total = time.monotonic(), sum(cpu for cpu, _, _ in self._totals.values())
        found = {"cpu_seconds": total}
        if self._read_at is not None:
            found["cpu_percent"] = 100 * (total - self._cpu_s) / max(now - self._read_at, _TICK_S)
        self._cpu_s, self._read_at = total, now
        return found


def _tree(pid: int) -> list[psutil.Process]:
    """A process and its descendants; none once it is gone."""
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    return []


def _gpus(pids: set[int]) -> dict[str, float]:
    found: dict[str, float] = {}
    for usage in usage_of(pids):
        found[f"gpu{usage.index}_percent"] = usage.percent
        found[f"gpu{usage.index}_memory_mb"] = usage.memory_mb
    return found


def _size(folder: Path) -> int:
    """Bytes of the files in a folder that takes space on disk; links are not followed."""
    size = files = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it is gone meanwhile
                size += os.lstat(os.path.join(place, name)).st_blocks * 512
            files += 1
            if files == _MOST_FILES:
                return size
    return size
