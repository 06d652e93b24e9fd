"""What NVIDIA's management library (NVML) says of the GPUs of this machine.

Reference: docs.nvidia.com/deploy/nvml-api. Without a driver there are none, which is no error.
"""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pynvml

_MB = 1024 * 1024
_RECENT_S = 5.0


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A GPU: what it is called, its memory, its own id, its driver, and the CUDA of the driver."""

    name: str
    memory_mb: int
    uuid: str
    driver: str
    cuda: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What some processes take of a GPU, which the driver numbers with `index`."""

    index: int
    percent: float
    memory_mb: float


def accelerators() -> list[Accelerator]:
    """The GPUs in the driver's order; none where the driver is absent or does not answer."""
    with _library() as usable:
        if not usable:
            return []
        driver, cuda = pynvml.nvmlSystemGetDriverVersion(), _cuda()
        return [_read(index, driver, cuda) for index in range(pynvml.nvmlDeviceGetCount())]


def usage_of(pids: Collection[int]) -> list[Usage]:
    """Of the GPUs that the processes have memory on, as the driver saw them a moment ago."""
    with _library() as usable:
        if not usable:
            return []
        found = (_usage(index, pids) for index in range(pynvml.nvmlDeviceGetCount()))
        return [usage for usage in found if usage is not None]


def _usage(index: int, pids: Collection[int]) -> Usage | None:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    running = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    ours = [process for process in running if process.pid in pids]
    if not ours:
        return None
    memory = sum(process.usedGpuMemory or 0 for process in ours)
    return Usage(index, _percent(handle, pids), memory / _MB)


def _percent(handle: Any, pids: Collection[int]) -> float:
    """The share of the GPU's time; 0 where the driver has no sample, or keeps none."""
    since_us = int((time.time() - _RECENT_S) * 1e6)
    try:
        samples = pynvml.nvmlDeviceGetProcessUtilization(handle, since_us)
    except pynvml.NVMLError:
        return 0.0
    newest = {sample.pid: sample for sample in sorted(samples, key=lambda each: each.timeStamp)}
    return float(sum(sample.smUtil for pid, sample in newest.items() if pid in pids))


def _cuda() -> str:
    """The newest CUDA that the driver takes, such as `13.0`."""
    number = int(pynvml.nvmlSystemGetCudaDriverVersion_v2())
    return f"{number // 1000}.{number % 1000 // 10}"


def _read(index: int, driver: str, cuda: str) -> Accelerator:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    return Accelerator(
        name=pynvml.nvmlDeviceGetName(handle),
        memory_mb=pynvml.nvmlDeviceGetMemoryInfo(handle).total // _MB,
        uuid=pynvml.nvmlDeviceGetUUID(handle),
        driver=driver,
        cuda=cuda,
    )


@contextmanager
def _library() -> Iterator[bool]:
    """Whether NVML can be used during the block."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield False
        return
    try:
        yield True
    finally:
        pynvml.nvmlShutdown()
