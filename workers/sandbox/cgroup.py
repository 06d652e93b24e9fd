"""Control groups: memory and processes of a step limited by the kernel, where it lets us.

A group is made below the launcher's own, in version 2 or in the hierarchies of version 1. Where
that is not permitted there is none, and the watchdog has to do.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from workers.sandbox.limits import Limits

ROOT = Path("/sys/fs/cgroup")
PREFIX = "hansard-"
_CONTROLLERS = ("memory", "pids")
_PATIENCE_S = 5.0
_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class _Names:
    """What the files of a version are called; ``swap`` forbids to evade the limit by swapping."""

    memory: str
    swap: tuple[str, ...]
    peak: str
    kills: str


_VERSION_1 = _Names(
    "memory.limit_in_bytes",
    ("memory.swappiness",),
    "memory.max_usage_in_bytes",
    "memory.oom_control",
)
_VERSION_2 = _Names("memory.max", ("memory.swap.max",), "memory.peak", "memory.events")


class Cgroup:
    """A group of processes. Its folder (or folders, in version 1) goes with `remove`."""

    def __init__(self, memory: Path, pids: Path, names: _Names) -> None:
        self._memory = memory
        self._pids = pids
        self._names = names
        self._folders = {memory, pids}

    @classmethod
    def made(
        cls, name: str, limits: Limits, root: Path = ROOT, own: Path = Path("/proc/self/cgroup")
    ) -> "Cgroup | None":
        """A group with these limits; None where the node has no groups for us."""
        try:
            found = _parents(root, own)
            if found is None:
                return None
            memory, pids, names = found
            for parent in {memory, pids}:
                _sweep(parent)
            folder = f"{PREFIX}{os.getpid()}-{name}"
            made = cls(memory / folder, pids / folder, names)
            made._set(limits)
        except OSError:
            return None
        return made

    @property
    def version(self) -> int:
        """1 or 2."""
        return 2 if self._names is _VERSION_2 else 1

    def add(self, pid: int) -> None:
        """Put a process into it, and with it whatever it starts."""
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(pid))

    @property
    def peak(self) -> int:
        """Most bytes of memory that it has used at one time."""
        with suppress(OSError, ValueError):  # version 2 tells it from Linux 5.19 on
            return int((self._memory / self._names.peak).read_text())
        return 0

    @property
    def killed(self) -> int:
        """How often the kernel has killed for want of memory."""
        return _count(self._memory / self._names.kills, "oom_kill")

    @property
    def refused(self) -> int:
        """How often the kernel has refused to start a process."""
        return _count(self._pids / "pids.events", "max")

    def kill(self) -> None:
        """End every process in it, also those that it is starting just now."""
        deadline = time.monotonic() + _PATIENCE_S
        with suppress(OSError):
            (self._pids / "pids.max").write_text("0")
        while (found := self._processes()) and time.monotonic() < deadline:
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_PAUSE_S)

    def remove(self) -> None:
        """Delete it; nothing may be alive in it."""
        for folder in self._folders:
            with suppress(OSError):  # what the kernel has not let go of yet is swept by the next
                folder.rmdir()

    def _processes(self) -> list[int]:
        return [int(line) for line in (self._pids / "cgroup.procs").read_text().split()]

    def _set(self, limits: Limits) -> None:
        for folder in self._folders:
            folder.mkdir()
        try:
            (self._memory / self._names.memory).write_text(str(limits.memory))
            (self._pids / "pids.max").write_text(str(limits.processes))
            for file in self._names.swap:
                with suppress(OSError):  # a kernel without swap has no such file
                    (self._memory / file).write_text("0")
        except OSError:
            self.remove()
            raise


def _parents(root: Path, own: Path) -> tuple[Path, Path, _Names] | None:
    """The folders below which groups for memory and for processes are made."""
    groups = dict[str, str]()
    for line in own.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        groups |= dict.fromkeys(controllers.split(","), path.lstrip("/"))
    if all(name in groups for name in _CONTROLLERS):
        memory, pids = (root / name / groups[name] for name in _CONTROLLERS)
        return memory, pids, _VERSION_1
    parent = root / groups.get("", "")
    control = parent / "cgroup.subtree_control"
    if not control.exists():
        return None
    if not set(_CONTROLLERS) <= set(control.read_text().split()):
        control.write_text(" ".join(f"+{name}" for name in _CONTROLLERS))
    return parent, parent, _VERSION_2


def _sweep(parent: Path) -> None:
    """Remove the groups of launchers that were killed; one that is not empty stays."""
    for folder in parent.glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX).partition("-")[0]
        if not Path("/proc", pid).exists():
            with suppress(OSError):
                folder.rmdir()


def _count(file: Path, name: str) -> int:
    with suppress(OSError):
        for line in file.read_text().splitlines():
            key, _, count = line.partition(" ")
            if key == name:
                return int(count)
    return 0
