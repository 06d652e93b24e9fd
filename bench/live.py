"""From `log_metric` in a step to a client of the live stream, at 1,000 points a second."""

import time
from collections.abc import Iterator

import numpy as np

import hansard
from bench.figure import Figure
from bench.machine import scratch_folder
from bench.platform import Job, running_platform

_POINTS_PER_S = 1000
_SECONDS = 20


def run() -> Iterator[Figure]:
    """The figures of `live`."""
    with scratch_folder() as scratch, running_platform(scratch / "data", "local") as platform:
        job = Job.push(platform, "log_points")
        job.succeeded(job.request(seconds=1))  # builds the environment
        late = _lateness_ms(job)
    p50, p99 = np.percentile(late, [50, 99])
    note = f"{_POINTS_PER_S} points/s of 10 keys, local backend; slowest {late.max():.0f} ms"
    yield Figure("live.p50_ms", float(p50), "ms", len(late), note=note)
    yield Figure("live.p99_ms", float(p99), "ms", len(late), note=note)


def _lateness_ms(job: Job) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """How long after its logging each point is in the client's hands; one clock for both."""
    run_id = job.request(points_per_s=_POINTS_PER_S, seconds=_SECONDS)
    late = []
    for event in job.platform.client.live(run=run_id):
        if isinstance(event, hansard.MetricsEvent):
            now_ms = time.time() * 1e3
            late += [now_ms - logged_ms for s in event.series for logged_ms in s.times]
    job.succeeded(run_id)
    assert len(late) == _POINTS_PER_S * _SECONDS, f"{len(late)} points arrived"
    return np.array(late)
