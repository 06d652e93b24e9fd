"""What is known when a decision is made. Times are seconds since the epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.resources import Resources
from domain.scheduling.limits import NO_LIMITS, Limits
from domain.scheduling.usage import NOTHING_USED, Used, Whose

DEFAULT_POOL = "default"
GRACE_S = 30.0
"""What a run may take beyond its wall time: to be prepared, and to be stopped."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run in the queue. It counts for an account: a group, or the user alone."""

    run: str
    resources: Resources
    account: str = ""
    user: str = ""
    pool: str = DEFAULT_POOL
    priority: int = 0
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Placed:
    """A run that holds room on a node; one that is `leaving` has been told to give it back."""

    run: str
    node: str
    resources: Resources
    account: str = ""
    user: str = ""
    pool: str = DEFAULT_POOL
    priority: int = 0
    since: float = 0.0
    leaving: bool = False

    @property
    def ends_at(self) -> float:
        """When its room is free at the latest, by the wall time that it declared."""
        return self.since + self.resources.wall_time_s + GRACE_S


@dataclass(frozen=True, slots=True)
class Offer:
    """What a node has, and the pool it belongs to."""

    resources: Resources
    pool: str = DEFAULT_POOL


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a decision depends on.

    ``queue`` is in order of request. ``nodes`` are present; ``known`` were heard of at some time,
    so that what fits one of them waits for it to come back. ``limits`` are those of accounts and
    users, ``usage`` is what accounts have used of pools, and ``served`` when runs of an account
    with a priority were last given room. ``reserved`` is by pool the run that room is kept for.
    """

    queue: Sequence[Waiting]
    placed: Sequence[Placed]
    nodes: Mapping[str, Offer]
    known: Mapping[str, Offer] | None = None
    limits: Mapping[str, Limits] = field(default_factory=dict)
    usage: Mapping[Whose, Used] = field(default_factory=dict)
    served: Mapping[tuple[str, int], float] = field(default_factory=dict)
    reserved: Mapping[str, str] = field(default_factory=dict)
    now: float = 0.0

    def limits_of(self, name: str) -> Limits:
        """The limits of an account or a user."""
        return self.limits.get(name, NO_LIMITS)

    def used_by(self, account: str, pool: str) -> Used:
        """What an account has used of a pool."""
        return self.usage.get((account, pool), NOTHING_USED)

    @property
    def heard_of(self) -> Mapping[str, Offer]:
        """All nodes that could ever give room."""
        return self.nodes if self.known is None else self.known
