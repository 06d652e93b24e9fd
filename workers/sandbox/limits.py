"""What a step may use, and how much of it is set on its first process before that runs anything."""

import math
import os
import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from workers.launch_spec import LaunchSpec

MB = 1024 * 1024
MAX_OPEN_FILES = 65_536
FIRST_TO_DIE = 500
"""Added to how readily the kernel kills a step when the node itself runs out of memory."""
_NODE_SHARE = 0.9
"""Of the node's memory, and of the disk that is free at the start, for who asks for no amount."""
_CPU_GRACE_S = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of memory and of disk, and processes, all of the step; seconds of CPU of each.

    Threads count as processes.
    """

    memory: int
    disk: int
    processes: int
    cpu_s: int

    @classmethod
    def of(cls, spec: LaunchSpec) -> "Limits":
        """What an attempt asks for, and what is sensible where it asks for nothing."""
        disk = os.statvfs(spec.work)
        node_memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return cls(
            memory=spec.memory_mb * MB or int(node_memory * _NODE_SHARE),
            disk=spec.disk_mb * MB or int(disk.f_bavail * disk.f_frsize * _NODE_SHARE),
            processes=spec.processes,
            cpu_s=math.ceil(spec.wall_time_s * spec.cpus),
        )

    def set_on(self, pid: int) -> None:
        """Bind a process that has done nothing yet, and with it whatever it starts."""
        _bind(pid, resource.RLIMIT_CORE, 0)
        _bind(pid, resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
        _bind(pid, resource.RLIMIT_FSIZE, self.disk)
        _bind(pid, resource.RLIMIT_CPU, self.cpu_s, _CPU_GRACE_S)
        with suppress(OSError):
            Path(f"/proc/{pid}/oom_score_adj").write_text(str(FIRST_TO_DIE))


def _bind(pid: int, kind: int, amount: int, grace: int = 0) -> None:
    """Set a limit, but never above one that is there already."""
    _, hard = resource.prlimit(pid, kind)
    if hard != resource.RLIM_INFINITY:
        amount = min(amount, hard - grace)
    resource.prlimit(pid, kind, (amount, amount + grace))
