"""What a group or a user may have: read from attributes, which administrators set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.resources import MAX_AMOUNT

NUMBERS = (
    *("weight", "quota_cpus", "quota_gpus", "share_cpus", "share_gpus"),
    *("max_running", "max_queued", "max_wall_time_s"),
)
SWITCHES = ("may_preempt", "preemptible")


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no limit. Quotas are hard; what is used beyond a share is borrowed."""

    weight: int = 1
    quota_cpus: int | None = None
    quota_gpus: int | None = None
    share_cpus: int = 0
    share_gpus: int = 0
    max_running: int | None = None
    max_queued: int | None = None
    max_wall_time_s: int | None = None
    may_preempt: bool = False
    preemptible: bool = True

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> "Limits":
        """Limits of attributes, of which the others are ignored."""
        named = (*NUMBERS, *SWITCHES)
        return cls(**{name: attributes[name] for name in named if name in attributes})


NO_LIMITS = Limits()


def flaw_of_limit(name: str, value: Any) -> str | None:
    """What is wrong with an attribute that limits, or None; other attributes are never wrong."""
    if name in SWITCHES:
        return None if isinstance(value, bool) else "is neither true nor false"
    if name not in NUMBERS:
        return None
    least = 1 if name == "weight" else 0
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= MAX_AMOUNT:
        return None
    return f"is no whole number from {least} to {MAX_AMOUNT}"
