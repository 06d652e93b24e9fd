"""Holds a step to its limits: by the kernel where it can, else by looking often."""

import signal
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from workers.faults import StepFault
from workers.sandbox.cgroup import Cgroup
from workers.sandbox.limits import MB, Limits
from workers.sandbox.usage import disk_of, memory_of, processes_of

_PAUSES = 20
"""Looking takes at most one part in so many of the time."""


class LimitReached(StepFault):
    """The step has used more than it may."""


class Bounds:
    """The limits of one step, if it is ``held`` to them. As a context it outlives the step."""

    def __init__(self, limits: Limits, step: Path, *, held: bool) -> None:
        self.limits = limits
        self._held = held
        self._step = step
        self._cgroup = Cgroup.made(step.parent.name, limits) if held else None
        self._first: int | None = None
        self._disk_before = 0
        self._look_at = dict.fromkeys((self._check_processes, self._check_disk), 0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._cgroup is not None:
            self._cgroup.remove()

    def facts(self) -> dict[str, Any] | None:
        """What is limited, and who sees to it."""
        if not self._held:
            return None
        by = f"cgroup v{self._cgroup.version}" if self._cgroup else "watchdog"
        return {**asdict(self.limits), "by": by}

    def set_on(self, pid: int) -> None:
        """Bind a process that has done nothing yet, and with it whatever it starts."""
        if not self._held:
            return
        self._first = pid
        self.limits.set_on(pid)
        if self._cgroup is not None:
            self._cgroup.add(pid)
        self._disk_before = disk_of(self._step)

    def breach(self) -> LimitReached | None:
        """The limit that has been reached, if one has."""
        if self._first is None:
            return None
        for check, due in self._look_at.items():
            begun = time.monotonic()
            if begun >= due:
                reached = check(self._first)
                ended = time.monotonic()
                self._look_at[check] = ended + _PAUSES * (ended - begun)
                if reached:
                    return LimitReached(reached)
        return None

    def cause_of_death(self, code: int) -> LimitReached | None:
        """The limit for which the kernel has ended a step that ended with this code, if it has."""
        if self._held and code == -signal.SIGXCPU:
            most = self.limits.cpu_s
            return LimitReached(f"out of processor time: one process used more than {most} s")
        if self._cgroup is None or not self._cgroup.killed:
            return None
        return LimitReached(_out_of_memory(self._cgroup.peak or self.limits.memory, self.limits))

    def kill(self) -> None:
        """End whatever of the step the kernel knows to be its own."""
        if self._cgroup is not None:
            self._cgroup.kill()

    def _check_processes(self, first: int) -> str | None:
        limits = self.limits
        if self._cgroup is not None:
            return _too_many(limits) if self._cgroup.refused else None
        found = processes_of(first, self._step)
        if sum(process.threads for process in found) > limits.processes:
            return _too_many(limits)
        if sum(process.memory for process in found) <= limits.memory:
            return None
        used = memory_of(found)
        return _out_of_memory(used, limits) if used > limits.memory else None

    def _check_disk(self, _first: int) -> str | None:
        written = disk_of(self._step) - self._disk_before
        if written <= self.limits.disk:
            return None
        return f"out of disk: it wrote {written // MB} of {self.limits.disk // MB} MB"


def _out_of_memory(used: int, limits: Limits) -> str:
    return f"out of memory: it used {used // MB} of {limits.memory // MB} MB"


def _too_many(limits: Limits) -> str:
    return f"out of processes: it started more than {limits.processes}, threads included"
