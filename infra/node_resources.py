"""What this node has to offer."""

import os

from domain.resources import Resources
from infra.accelerators import accelerators

_MB = 1024 * 1024


def node_resources(cpus: int = 0, gpus: int = 0) -> Resources:
    """CPUs and GPUs (those given, or all that are there) and memory in MB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Resources(
        cpus=cpus or len(os.sched_getaffinity(0)),
        gpus=gpus or len(accelerators()),
        memory_mb=memory // _MB,
    )
