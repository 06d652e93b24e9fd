"""What a run asks of a node, and what nodes have."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from domain.errors import Invalid
from domain.sandbox import Level, strongest

MAX_WALL_TIME_S = 30 * 24 * 3600
MAX_AMOUNT = 10**9
MAX_WORKERS = 64


@dataclass(frozen=True, slots=True)
class Resources:
    """Whole CPUs and GPUs, memory in MB, wall time in seconds; and how it is isolated at least.

    All workers share them: `workers` processes execute the run together.
    """

    cpus: int = 1
    gpus: int = 0
    memory_mb: int = 0  # 0: no reservation
    wall_time_s: int = 24 * 3600
    network: bool = False
    sandbox: str = Level.NONE
    workers: int = 1

    @classmethod
    def requested(cls, asked: dict[str, Any]) -> "Resources":
        """Resources of a request. Raises Invalid for what cannot be meant."""
        resources = cls(**asked)
        bounds = {"cpus": 1, "gpus": 0, "memory_mb": 0, "wall_time_s": 1}
        for field, least in bounds.items():
            if not least <= getattr(resources, field) <= MAX_AMOUNT:
                detail = f"`{field}` is at least {least} and at most {MAX_AMOUNT}"
                raise Invalid(detail, field=f"resources.{field}")
        if resources.wall_time_s > MAX_WALL_TIME_S:
            raise Invalid("`wall_time_s` is at most 30 days", field="resources.wall_time_s")
        if not 1 <= resources.workers <= min(MAX_WORKERS, resources.cpus):
            detail = f"`workers` is at least 1 and at most {MAX_WORKERS}, and each needs a CPU"
            raise Invalid(detail, field="resources.workers")
        return resources

    def fits(self, room: "Resources") -> bool:
        """Whether this much is there."""
        return (
            self.cpus <= room.cpus and self.gpus <= room.gpus and self.memory_mb <= room.memory_mb
        )

    def minus(self, other: "Resources") -> "Resources":
        """What is left of a node when `other` is taken."""
        return Resources(
            self.cpus - other.cpus, self.gpus - other.gpus, self.memory_mb - other.memory_mb
        )

    def plus(self, other: "Resources") -> "Resources":
        """What is there when `other` is given back."""
        return Resources(
            self.cpus + other.cpus, self.gpus + other.gpus, self.memory_mb + other.memory_mb
        )

    def isolated(self, least: Level) -> "Resources":
        """The same, at this level or at the one asked for, whichever is stronger."""
        return replace(self, sandbox=strongest([least, Level(self.sandbox)]))

    def as_dict(self) -> dict[str, Any]:
        """The members, as stored."""
        return asdict(self)


def never_fits(asked: Resources, nodes: list[Resources]) -> str | None:
    """A sentence saying why no node could ever run this, or None if one could.

    With no node known nothing can be said, so the answer is None.
    """
    if not nodes or any(asked.fits(node) for node in nodes):
        return None
    for unit, amount in (("gpus", "GPU"), ("cpus", "CPU"), ("memory_mb", "MB of memory")):
        largest = max(getattr(node, unit) for node in nodes)
        wanted = getattr(asked, unit)
        if wanted > largest:
            return f"asks for {wanted} {amount}; the largest of {len(nodes)} node(s) has {largest}"
    return "no single node has all of what is asked for together"
