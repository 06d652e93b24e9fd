"""What happens to a run: its states, and the events that lead from one to the next."""

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from domain.aggregate import Aggregate, AggregateCreated

if TYPE_CHECKING:
    from domain.run import Run


class Status(StrEnum):
    """Where a run is."""

    REQUESTED = "requested"
    QUEUED = "queued"
    ADMITTED = "admitted"
    STARTING = "starting"
    RUNNING = "running"
    PREEMPTED = "preempted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.LOST})
WAITING = frozenset({Status.REQUESTED, Status.QUEUED, Status.PREEMPTED})
PLACED = frozenset({Status.ADMITTED, Status.STARTING, Status.RUNNING})


class Requested(AggregateCreated):
    """Somebody asked for it: all that decides the outcome is fixed here."""

    TOPIC = "run.requested.v7"
    project: str
    experiment: str
    name: str
    executor: str  # version id
    parameters: dict[str, Any]
    slots: dict[str, dict[str, Any]]  # {place: {version, parameters, methods, keep, name}}
    datasets: dict[str, str]  # {alias: version id}
    resources: dict[str, Any]
    lock: str  # digest of the environment lock
    seed: int
    tags: dict[str, str]
    run_group: dict[str, Any] | None  # {id, seeds} of all runs that were asked for with it
    variables: dict[str, Any]  # of the step's environment: text, or {secret: name}
    claim: dict[str, Any]  # {pool, priority, group}
    secrets: dict[str, str]  # ids of secrets by the places that name them


class Queued(Aggregate.Event):
    """It can run here, and waits for room."""

    TOPIC = "run.queued.v1"

    def apply(self, aggregate: "Run") -> None:
        """Wait."""
        aggregate.status = Status.QUEUED


class Admitted(Aggregate.Event):
    """Room was given to an attempt; its token's digest opens the inputs to it.

    `grounds` says for whom it counts, by which limits, and which rule permitted it.
    """

    TOPIC = "run.admitted.v2"
    attempt: int
    backend: str
    node: str
    fence: int
    token_digest: str
    grounds: dict[str, Any]

    def apply(self, aggregate: "Run") -> None:
        """Begin the attempt."""
        aggregate.status = Status.ADMITTED
        aggregate.attempt = self.attempt
        aggregate.node = self.node
        aggregate.token_digest = self.token_digest


class Starting(Aggregate.Event):
    """The node prepares the attempt; `facts` are those of the recipe only it knows."""

    TOPIC = "run.starting.v1"
    attempt: int
    sandbox: str
    facts: dict[str, Any]

    def apply(self, aggregate: "Run") -> None:
        """Remember how it is isolated."""
        aggregate.status = Status.STARTING
        aggregate.sandbox = self.sandbox


class Running(Aggregate.Event):
    """User code runs."""

    TOPIC = "run.running.v1"
    attempt: int

    def apply(self, aggregate: "Run") -> None:
        """Run."""
        aggregate.status = Status.RUNNING


class AttemptLost(Aggregate.Event):
    """The infrastructure failed the attempt; the run goes back to the queue."""

    TOPIC = "run.attempt_lost.v1"
    attempt: int
    reason: str

    def apply(self, aggregate: "Run") -> None:
        """Wait again."""
        aggregate.status = Status.QUEUED
        aggregate.token_digest = None
        aggregate.is_to_give_way = False
        aggregate.losses += 1


class PreemptionRequested(Aggregate.Event):
    """The attempt is to give its room to another run; it waits again when its processes ended."""

    TOPIC = "run.preemption_requested.v1"
    attempt: int
    by: str
    reason: str

    def apply(self, aggregate: "Run") -> None:
        """Remember the wish."""
        aggregate.is_to_give_way = True


class Preempted(Aggregate.Event):
    """The attempt gave its room to something more urgent; the run waits again."""

    TOPIC = "run.preempted.v1"
    attempt: int
    reason: str

    def apply(self, aggregate: "Run") -> None:
        """Wait again."""
        aggregate.status = Status.PREEMPTED
        aggregate.token_digest = None
        aggregate.is_to_give_way = False


class CancelRequested(Aggregate.Event):
    """Somebody wants it to stop; it ends when its processes have."""

    TOPIC = "run.cancel_requested.v1"
    reason: str

    def apply(self, aggregate: "Run") -> None:
        """Remember the wish."""
        aggregate.cancel_requested = True


class Noted(Aggregate.Event):
    """A remark was added."""

    TOPIC = "run.noted.v1"
    note: str

    def apply(self, aggregate: "Run") -> None:
        """Count it."""
        aggregate.notes += 1


class Ended(Aggregate.Event):
    """What all terminal events hold: points logged, and one Merkle root over the series.

    `series_root` is None when unproven: the node could not account for every point.
    """

    TOPIC = "run.ended.v1"
    attempt: int
    reason: str
    metric_points: int | None
    series_root: str | None


class Succeeded(Ended):
    """User code returned; its results are kept."""

    TOPIC = "run.succeeded.v1"
    results: dict[str, Any]
    logged: dict[str, Any]
    outputs: list[dict[str, Any]]

    def apply(self, aggregate: "Run") -> None:
        """End well."""
        aggregate.status = Status.SUCCEEDED


class Failed(Ended):
    """User code, its environment or its limits ended it."""

    TOPIC = "run.failed.v1"
    failure: dict[str, Any]
    logged: dict[str, Any]

    def apply(self, aggregate: "Run") -> None:
        """End badly."""
        aggregate.status = Status.FAILED


class Cancelled(Ended):
    """Somebody stopped it."""

    TOPIC = "run.cancelled.v1"

    def apply(self, aggregate: "Run") -> None:
        """End as wished."""
        aggregate.status = Status.CANCELLED


class Lost(Ended):
    """The infrastructure failed it more often than it is tried."""

    TOPIC = "run.lost.v1"

    def apply(self, aggregate: "Run") -> None:
        """End unknown."""
        aggregate.status = Status.LOST
