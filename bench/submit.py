"""From the request of a run to the first line of its code, in an environment that is there."""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.figure import Figure
from bench.machine import scratch_folder
from bench.platform import Job, running_platform

_WARM_UP = 3
_ROUNDS = 20


def run() -> Iterator[Figure]:
    """The figures of `submit`."""
    with scratch_folder() as scratch:
        for backend in ("local", "ray"):
            yield _figure(backend, _milliseconds(scratch, backend))


def _milliseconds(scratch: Path, backend: str) -> list[float]:
    with running_platform(scratch / backend, backend) as platform:
        job = Job.push(platform, "first_line")
        return [_until_first_line(job) for _ in range(_WARM_UP + _ROUNDS)][_WARM_UP:]


def _until_first_line(job: Job) -> float:
    """Milliseconds on one clock: job and bench are on one machine."""
    asked_s = time.time()
    run = job.succeeded(job.request())
    assert run.results is not None
    return (float(run.results["started_s"]) - asked_s) * 1e3


def _figure(backend: str, taken: list[float]) -> Figure:
    note = f"from {min(taken):.0f} to {max(taken):.0f} ms, one run at a time"
    return Figure(f"submit.{backend}_ms", median(taken), "ms", _ROUNDS, note=note)
