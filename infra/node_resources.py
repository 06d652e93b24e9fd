"""What this node has to offer."""

import os
import shutil
import subprocess

from domain.resources import Resources

_MB = 1024 * 1024
_TIMEOUT_S = 20.0


def node_resources(cpus: int = 0, gpus: int = 0) -> Resources:
    """CPUs and GPUs (those given, or all that are there) and memory in MB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Resources(
        cpus=cpus or len(os.sched_getaffinity(0)),
        gpus=gpus or _gpu_count(),
        memory_mb=memory // _MB,
    )


def _gpu_count() -> int:
    """As the driver's own program counts them; none where it is not installed or has no answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        done = subprocess.run(
            [program, "--query-gpu=uuid", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    return len([line for line in done.stdout.splitlines() if line.startswith("GPU-")])
