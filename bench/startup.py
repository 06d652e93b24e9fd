"""The second `hansard up` on a data folder: until it answers, until Ray takes runs, idle memory."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import psutil

from bench.figure import Figure
from bench.machine import scratch_folder
from bench.platform import Job, Platform, running_platform, until

_ROUNDS = 3
_SETTLE_S = 5.0
_WAITING = ("requested", "queued")
_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


def run() -> Iterator[Figure]:
    """The figures of `startup`."""
    with scratch_folder() as scratch:
        folder = scratch / "data"
        with running_platform(folder, "ray") as platform:
            Job.push(platform, "first_line")
        ready, ray_ready = zip(*(_start(folder) for _ in range(_ROUNDS)), strict=True)
        idle = [_idle_mb(folder) for _ in range(_ROUNDS)]
    note = "Ray starting in the background meanwhile"
    yield Figure("startup.ready_s", median(ready), "s", _ROUNDS, note=note)
    note = "until a run that waits since /readyz is admitted to Ray"
    yield Figure("startup.ray_ready_s", median(ray_ready), "s", _ROUNDS, note=note)
    note = f"PSS of all processes of `--backend local`, {_SETTLE_S:.0f} s after /readyz"
    yield Figure("startup.idle_mb", median(idle), "MB", _ROUNDS, note=note)


def _start(folder: Path) -> tuple[float, float]:
    """Seconds from the command until `/readyz`, and until Ray takes a run."""
    with running_platform(folder, "ray") as platform:
        job = Job.push(platform, "first_line")
        run_id = job.request()
        until(lambda: _status(platform, run_id) not in _WAITING, platform.process)
        admitted_s = time.monotonic() - platform.started_at
        job.succeeded(run_id)
        return platform.ready_s, admitted_s


def _status(platform: Platform, run_id: str) -> str:
    return str(platform.http.get(f"/v1/runs/{run_id}").json()["status"])


def _idle_mb(folder: Path) -> float:
    with running_platform(folder, "local") as platform:
        time.sleep(_SETTLE_S)
        top = psutil.Process(platform.process.pid)
        return sum(_pss_mb(process.pid) for process in (top, *top.children(recursive=True)))


def _pss_mb(pid: int) -> float:
    """Memory of a process, what it shares divided among the sharers (proportional set size)."""
    found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return int(found[1]) * 1024 / 1e6 if found else 0.0
