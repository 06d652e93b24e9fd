"""What the client answers about asking for runs: what stands against one, and groups of them."""

from datetime import datetime
from typing import Any

from hansard.client.results import TERMINAL, Result


class Finding(Result):
    """What stands against a request: a part of it, a problem code, and a sentence."""

    field: str
    code: str
    detail: str


class Outlook(Result):
    """Where a run would stand in its pool, counted from 1, and why; a start if one can be told."""

    pool: str
    position: int | None
    reason: str
    starts_at: datetime | None


class Verdict(Result):
    """What asking for a run would come to: exact versions and complete parameters, or `errors`.

    `queue` tells for each of the seeds where it would stand; None while nobody can tell.
    """

    valid: bool
    errors: tuple[Finding, ...]
    executor: dict[str, Any] | None
    parameters: dict[str, Any]
    slots: dict[str, dict[str, Any]]
    datasets: dict[str, dict[str, Any]]
    resources: dict[str, Any]
    seeds: tuple[int, ...]
    queue: tuple[Outlook, ...] | None = None


class GroupedRun(Result):
    """A run of a group; a masked member is None."""

    id: str
    name: str | None
    seed: int | None
    status: str | None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None

    @property
    def ended(self) -> bool:
        """Whether it has succeeded, failed, been cancelled or lost."""
        return self.status in TERMINAL


class Spread(Result):
    """What a metric or result spreads over; `std` is that of a sample, None for a single run."""

    key: str
    n: int
    mean: float | None
    std: float | None
    min: float
    max: float
    min_run: str
    max_run: str


class BestRun(Result):
    """The run that is best by what was asked, and its value."""

    run: str
    value: float


class RunGroup(Result):
    """Runs that were asked for together, one for each of several seeds."""

    id: str
    runs: tuple[GroupedRun, ...]
    statuses: dict[str, int]
    metrics: tuple[Spread, ...] = ()
    results: tuple[Spread, ...] = ()
    best: BestRun | None = None

    @property
    def ended(self) -> bool:
        """Whether all of them have ended."""
        return all(run.ended for run in self.runs)
