"""What NVIDIA's management library (NVML) says of the GPUs of this machine.

Reference: docs.nvidia.com/deploy/nvml-api. Without a driver there are none, which is no error.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pynvml

_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A GPU: what it is called, its memory, its own id, and the version of its driver."""

    name: str
    memory_mb: int
    uuid: str
    driver: str


def accelerators() -> list[Accelerator]:
    """The GPUs in the driver's order; none where the driver is absent or does not answer."""
    with _library() as usable:
        if not usable:
            return []
        driver = pynvml.nvmlSystemGetDriverVersion()
        return [_read(index, driver) for index in range(pynvml.nvmlDeviceGetCount())]


def _read(index: int, driver: str) -> Accelerator:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    return Accelerator(
        name=pynvml.nvmlDeviceGetName(handle),
        memory_mb=pynvml.nvmlDeviceGetMemoryInfo(handle).total // _MB,
        uuid=pynvml.nvmlDeviceGetUUID(handle),
        driver=driver,
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
