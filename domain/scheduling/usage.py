"""How much an account has used lately: what is long ago counts for less."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from domain.resources import Resources

HALF_LIFE_S = 7 * 24 * 3600.0

Whose = tuple[str, str]
"""An account and a pool."""


@dataclass(frozen=True, slots=True)
class Used:
    """CPU and GPU seconds, each worth half after a half-life."""

    cpu_s: float = 0.0
    gpu_s: float = 0.0


NOTHING_USED = Used()


class Use(Protocol):
    """Room that is held by an account at this moment."""

    @property
    def account(self) -> str:
        """Who holds it."""

    @property
    def pool(self) -> str:
        """Where."""

    @property
    def resources(self) -> Resources:
        """How much."""

    @property
    def since(self) -> float:
        """From when on."""


class Ledger:
    """What every account has used of every pool, folded from runs that gave their room back."""

    def __init__(self, half_life_s: float = HALF_LIFE_S) -> None:
        self._half_life_s = half_life_s
        self._spans: dict[Whose, tuple[float, float, float]] = {}  # cpu_s, gpu_s, as of a time

    def use(self, whose: Whose, resources: Resources, begin: float, end: float) -> None:
        """Add room that was held for a time; a clock that went backwards adds nothing."""
        cpu_s, gpu_s, at = self._spans.get(whose, (0.0, 0.0, end))
        now = max(at, end)
        seconds = self._worth(begin, end, now)
        faded = self._faded(now - at)
        self._spans[whose] = (
            cpu_s * faded + resources.cpus * seconds,
            gpu_s * faded + resources.gpus * seconds,
            now,
        )

    def at(self, now: float, held: Iterable[Use] = ()) -> dict[Whose, Used]:
        """What was used until now, that of room which is still held included."""
        found = {
            whose: (cpu_s * self._faded(now - at), gpu_s * self._faded(now - at))
            for whose, (cpu_s, gpu_s, at) in self._spans.items()
        }
        for use in held:
            cpu_s, gpu_s = found.get((use.account, use.pool), (0.0, 0.0))
            seconds = self._worth(use.since, now, now)
            found[use.account, use.pool] = (
                cpu_s + use.resources.cpus * seconds,
                gpu_s + use.resources.gpus * seconds,
            )
        return {whose: Used(*spent) for whose, spent in found.items()}

    def _faded(self, seconds: float) -> float:
        return float(2.0 ** (-max(seconds, 0.0) / self._half_life_s))

    def _worth(self, begin: float, end: float, now: float) -> float:
        """The seconds from begin to end, each faded by its age."""
        lasting = self._half_life_s / math.log(2)
        return lasting * max(self._faded(now - end) - self._faded(now - begin), 0.0)
