"""What a step costs beyond the task of Ray that launches it: everything warm, and nothing to do."""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import ray

from bench.figure import Figure
from bench.machine import scratch_folder
from hansard.formats.bundle import pack
from hansard.formats.frames import Kind, unpack_status
from hansard.formats.outbox import read_from
from infra.environments.locks import lock
from infra.environments.store import EnvironmentStore, sdk_wheel
from workers.launch_spec import LaunchSpec
from workers.launcher import launch

_WARM_UP = 3
_ROUNDS = 30
_JOB = Path(__file__).with_name("jobs") / "nothing"
_LEVELS = {"none": "steps.bare_overhead_ms", "bubblewrap": "steps.sandbox_overhead_ms"}


def run() -> Iterator[Figure]:
    """The figures of `steps`."""
    with scratch_folder() as scratch:
        node = _Node(scratch)
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
        try:
            yield from _figures(node)
        finally:
            ray.shutdown()


def _figures(node: "_Node") -> Iterator[Figure]:
    """Levels take turns with Ray's own no-op, so that whatever else goes on meets all alike."""
    nothing, task = ray.remote(_nothing), ray.remote(_launch)
    taken: dict[str, list[float]] = {level: [] for level in ("ray", *_LEVELS)}
    for _ in range(_WARM_UP + _ROUNDS):
        taken["ray"].append(_milliseconds(nothing.remote))
        for level in _LEVELS:
            spec = node.spec(level)
            taken[level].append(_milliseconds(partial(task.remote, spec.to_json())))
            node.check(spec)
    found = {level: each[_WARM_UP:] for level, each in taken.items()}
    floor = median(found["ray"])
    for level, id_ in _LEVELS.items():
        note = (
            f"sandbox `{level}`, from {min(found[level]):.0f} ms; the floor is Ray's no-op, in ms"
        )
        yield Figure(id_, median(found[level]) - floor, "ms", _ROUNDS, floor=floor, note=note)


def _milliseconds(start: Callable[[], Any]) -> float:
    begun = time.monotonic()
    ray.get(start())
    return (time.monotonic() - begun) * 1e3


def _nothing() -> None:
    """What Ray takes for a task of its own."""


def _launch(spec: str) -> None:
    """As the driver's task."""
    launch(LaunchSpec.from_json(spec))


class _Node:
    """A node that has everything a step needs, so that nothing is asked of a platform."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environments = folder / "envs"
        self._runs = 0
        (folder / "bundles").mkdir()
        self._lock = self._locked()
        self._bundle = self._kept(pack(_JOB, entry="nothing:Nothing", kind="executor").data)

    def spec(self, level: str) -> LaunchSpec:
        """The next attempt, at a level of isolation."""
        self._runs += 1
        part = {"bundle": self._bundle, "entry": "nothing:Nothing", "parameters": {}}
        return LaunchSpec(
            run=f"run-{self._runs}",
            attempt=1,
            project="project-1",
            experiment="experiment-1",
            node="local",
            fence=1,
            api_url="http://127.0.0.1:9",
            token="none",
            work=str(self._folder / "work"),
            environments=str(self._environments),
            lock=self._lock,
            executor=part,
            slots={},
            datasets={},
            seed=1,
            cpus=1,
            gpus=0,
            threads=1,
            wall_time_s=60.0,
            grace_s=1.0,
            sandbox=level,
        )

    def check(self, spec: LaunchSpec) -> None:
        """That the step has succeeded; its folder goes, as the agent would see to."""
        attempt = self._folder / "work" / f"{spec.run}.{spec.attempt}"
        frames = [frame for frame, _ in read_from(attempt / "outbox")]
        end = unpack_status(frames[-1].payload) if frames[-1].kind is Kind.STATUS else {}
        assert end.get("outcome") == "succeeded", end
        shutil.rmtree(attempt)

    def _kept(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        (self._folder / "bundles" / digest).write_bytes(data)
        return digest

    def _locked(self) -> str:
        wheel = sdk_wheel(self._environments)
        store = EnvironmentStore(self._environments, wheel)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        pinned = lock([], python=version, sdk_wheel=wheel, cache=store.cache)
        store.ensure(pinned)
        return self._kept(json.dumps(asdict(pinned)).encode())
