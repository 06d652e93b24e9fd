"""Finds and kills every process of a step, also those that left its process group (Linux).

A process is known by HANSARD_STEP_DIR in the environment it was started with, which its children
inherit; process ids are not trusted over time, so signals go through pidfds.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from hansard.run_log import STEP_DIR_VARIABLE

_PATIENCE_S = 5.0
_PAUSE_S = 0.01


def kill_stragglers(step: Path) -> bool:
    """SIGKILL all processes of a step and wait until they are gone; False if some will not go."""
    deadline = time.monotonic() + _PATIENCE_S
    while found := _processes(step):
        for pid in found:
            _kill(pid, step)
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_S)
    return True


def _processes(step: Path) -> list[int]:
    with os.scandir("/proc") as entries:
        pids = [int(entry.name) for entry in entries if entry.name.isdecimal()]
    return [pid for pid in pids if _belongs(pid, step)]


def _belongs(pid: int, step: Path) -> bool:
    """Zombies have no environment any more: they count as gone."""
    mark = f"{STEP_DIR_VARIABLE}={step}".encode()
    with suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
        return mark in file.read().split(b"\0")
    return False


def _kill(pid: int, step: Path) -> None:
    with suppress(ProcessLookupError):
        process = os.pidfd_open(pid)
        try:
            if _belongs(pid, step):  # the number may have passed to another one before the pidfd
                signal.pidfd_send_signal(process, signal.SIGKILL)
        finally:
            os.close(process)
