"""Environments of steps: taken a second time, and built of packages that uv has fetched before."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.figure import Figure
from bench.machine import scratch_folder
from infra.environments.locks import Lock, lock
from infra.environments.store import EnvironmentStore, sdk_wheel

_USES = 50
_BUILDS = 3
_REQUIREMENTS = ("scikit-learn==1.7.2",)


def run() -> Iterator[Figure]:
    """The figures of `envs`."""
    with scratch_folder() as scratch:
        wheel, cache = sdk_wheel(scratch / "shared"), scratch / "shared" / "cache"
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        pinned = lock(_REQUIREMENTS, python=version, sdk_wheel=wheel, cache=cache)
        EnvironmentStore(scratch / "first", wheel, cache=cache).ensure(pinned)
        taken = [_build(scratch / f"again{n}", wheel, cache, pinned) for n in range(_BUILDS)]
        note = f"from {min(taken):.2f} to {max(taken):.2f} s, bytecode compiled"
        yield Figure("envs.sklearn_warm_s", median(taken), "s", _BUILDS, note=note)
        yield _second_use(EnvironmentStore(scratch / "first", wheel, cache=cache), pinned)


def _build(root: Path, wheel: Path, cache: Path, pinned: Lock) -> float:
    store = EnvironmentStore(root, wheel, cache=cache)
    begun = time.monotonic()
    store.ensure(pinned)
    return time.monotonic() - begun


def _second_use(store: EnvironmentStore, pinned: Lock) -> Figure:
    """Until its python has started and ended; what an empty python takes is the floor."""
    taken, floor = [], []
    for _ in range(_USES):
        begun = time.monotonic()
        with store.use(pinned) as python:
            subprocess.run([python, "-c", ""], check=True)
        taken.append(time.monotonic() - begun)
        begun = time.monotonic()
        subprocess.run([python, "-c", ""], check=True)
        floor.append(time.monotonic() - begun)
    note = "with the start of its python, which alone is the floor, in ms"
    value, least = median(taken) * 1e3, median(floor) * 1e3
    return Figure("envs.second_use_ms", value, "ms", _USES, floor=least, note=note)
