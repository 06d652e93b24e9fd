"""What the dispatcher needs of a backend: to place an attempt, and to say when it could not."""

from dataclasses import dataclass
from typing import Protocol

from workers.launch_spec import LaunchSpec


@dataclass(frozen=True, slots=True)
class PlacementFailure:
    """An attempt that the backend could not place, or lost sight of."""

    run: str
    attempt: int
    reason: str


class ComputeBackend(Protocol):
    """Places attempts on nodes. What becomes of them is told by the nodes' agents, not here."""

    @property
    def name(self) -> str:
        """Recorded with each attempt."""

    @property
    def ready(self) -> bool:
        """Whether attempts can be placed now."""

    @property
    def doubt_s(self) -> float:
        """For how long after a loss `ready` may still be an error."""

    def tick(self) -> list[PlacementFailure]:
        """Keep the backend alive; called several times a second. Answers what went wrong."""

    def launch(self, spec: LaunchSpec) -> None:
        """Place an attempt; returns at once."""

    def close(self) -> None:
        """Let go; attempts that run go on."""
