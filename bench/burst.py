"""A thousand short runs asked for at once: what the platform takes beyond the work itself."""

import time
from collections import Counter
from collections.abc import Iterator

from bench.figure import Figure
from bench.machine import scratch_folder
from bench.platform import Job, Platform, running_platform

_REQUESTS, _SEEDS = 10, 100
_BUSY_S = 0.05
_CORES = 2
_PATIENCE_S = 900.0
_POLL_S = 0.25


def run() -> Iterator[Figure]:
    """The figure of `burst`. Each run keeps a processor busy for 50 ms and logs one point."""
    with scratch_folder() as scratch, running_platform(scratch / "data", "local") as platform:
        job = Job.push(platform, "busy")
        job.succeeded(job.request(seconds=_BUSY_S))
        started = time.monotonic()
        for number in range(_REQUESTS):
            _ask(job, [number * _SEEDS + seed for seed in range(_SEEDS)])
        asked_s = time.monotonic() - started
        ended = _until_ended(platform, 1 + _REQUESTS * _SEEDS)
        taken_s = time.monotonic() - started
    runs = _REQUESTS * _SEEDS
    assert ended == {"succeeded": runs + 1}, f"runs were lost: {ended}"
    floor = runs * _BUSY_S / _CORES
    note = f"{runs} runs in {taken_s:.1f} s, asked for in {asked_s:.1f} s; floor in s, work alone"
    yield Figure("burst.overhead_share", taken_s / floor - 1, "1", runs, floor=floor, note=note)


def _ask(job: Job, seeds: list[int]) -> None:
    body = {
        "executor": job.executor,
        "experiment": job.experiment,
        "parameters": {"seconds": _BUSY_S},
        "seeds": seeds,
    }
    job.platform.http.post("/v1/runs", json=body).raise_for_status()


def _until_ended(platform: Platform, runs: int) -> dict[str, int]:
    """Runs by the state in which they ended, once so many have."""
    deadline = time.monotonic() + _PATIENCE_S
    counts: Counter[str] = Counter()
    while time.monotonic() < deadline:
        answer = platform.http.get("/v1/runs/facets", params={"field": "status"})
        counts = Counter(
            {i["value"]: i["count"] for i in answer.raise_for_status().json()["items"]}
        )
        ended = {name: counts[name] for name in ("succeeded", "failed", "cancelled", "lost")}
        if sum(ended.values()) >= runs:
            return {name: count for name, count in ended.items() if count}
        time.sleep(_POLL_S)
    raise AssertionError(f"the runs have not ended after {_PATIENCE_S:.0f} s: {counts}")
