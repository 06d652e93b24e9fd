"""What the client answers: immutable records of the platform's entities.

Members that the server adds later are ignored, so an old client works with a new server.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidatorFunctionWrapHandler, field_validator

TERMINAL = frozenset({"succeeded", "failed", "cancelled", "lost"})
"""The states in which a run has ended."""


class Result(BaseModel):
    """A record from the server."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Maskable(Result):
    """What policies may mask: a masked member is None whatever its type, and named in `masked`."""

    masked: tuple[str, ...] = ()

    @field_validator("*", mode="wrap")
    @classmethod
    def _let_none_through(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return None if value is None else handler(value)


class Entity(Maskable):
    """What every named entity has."""

    id: str
    name: str
    description: str = ""
    tags: dict[str, str] = {}
    archived: bool = False
    created_by: str
    created_at: datetime
    updated_at: datetime


class Shared(Entity):
    """An entity that can be shared: `private`, or seen by its `project`, or `public`."""

    visibility: str = "private"
    groups: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    embargo_until: datetime | None = None


class Project(Shared):
    """A workspace: every other entity belongs to one."""


class Experiment(Shared):
    """Runs that belong together."""

    project: str


class Abstraction(Shared):
    """A named executor, model or dataset loader; `latest` is the id of its newest version."""

    kind: Literal["executor", "model", "loader"]
    project: str
    versions: int
    latest: str | None


class Artifact(Result):
    """A file of a trained model; `digest` is the SHA-256 of its content in hex."""

    path: str
    digest: str
    size: int


class Version(Maskable):
    """One immutable version of an abstraction: code, and for a trained model its artifacts."""

    id: str
    abstraction: str
    kind: Literal["executor", "model", "loader"]
    project: str
    number: int
    source: dict[str, Any]
    artifacts: tuple[Artifact, ...] = ()
    origin: dict[str, Any] | None = None
    archived: bool = False
    created_by: str
    created_at: datetime


class Pushed(Version):
    """The version that a push ended in; `created` is false if it was the latest already."""

    name: str
    created: bool


class Run(Shared):
    """One execution, shared as its experiment. Lists leave out notes, facts, failure, outputs."""

    project: str
    experiment: str
    executor: str
    parameters: dict[str, Any]
    slots: dict[str, dict[str, Any]]
    resources: dict[str, int]
    seed: int
    status: str
    attempt: int
    cancel_requested: bool
    backend: str | None = None
    node: str | None = None
    sandbox: str | None = None
    reason: str | None = None
    results: dict[str, Any] | None = None
    logged: dict[str, Any] | None = None
    failure: dict[str, Any] | None = None
    outputs: list[dict[str, Any]] | None = None
    facts: dict[str, Any] | None = None
    notes: tuple[dict[str, Any], ...] = ()
    metric_points: int | None = None
    series_root: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether it has succeeded, failed, been cancelled or lost."""
        return self.status in TERMINAL


class Series(Result):
    """A metric in buckets over steps; the six lists have one entry a bucket.

    `points` is the number of points logged. `time` is in Unix milliseconds.
    """

    key: str
    points: int
    first_step: list[int]
    step: list[int]
    min: list[float]
    max: list[float]
    last: list[float]
    time: list[int]


class SeriesSet(Result):
    """The series of one attempt; `complete` once every point of an ended run is there."""

    items: tuple[Series, ...]
    attempt: int
    complete: bool


class Metric(Result):
    """The newest value of a metric, and the lowest and highest. `time` is in Unix milliseconds."""

    key: str
    attempt: int
    step: int
    value: float
    time: int
    points: int
    low: float | None = None
    high: float | None = None


class LogLine(Result):
    """A line of a run's output. `time` is in Unix milliseconds."""

    line: int
    text: str
    time: int


class FacetValue(Result):
    """A value of a field, and how many entities have it."""

    value: Any
    count: int


class StatusEvent(Result):
    """An event of a run; `status` is None if it changed nothing about its state."""

    run: str
    topic: str
    status: str | None
    position: int
    time: datetime
    data: dict[str, Any] = {}

    @property
    def ended(self) -> bool:
        """Whether the run has ended with this event."""
        return self.status in TERMINAL


class LivePoints(Result):
    """New points of a metric; the lists have one length. `times` are Unix milliseconds."""

    key: str
    steps: list[int]
    values: list[float]
    times: list[int]


class MetricsEvent(Result):
    """New metric points of a run."""

    run: str
    attempt: int
    series: tuple[LivePoints, ...]


class LogEvent(Result):
    """New lines of a run's output. `times` are Unix milliseconds."""

    run: str
    attempt: int
    stream: str
    first_line: int
    lines: list[str]
    times: list[int]


class ProgressEvent(Result):
    """What the node does for a run before and after its code runs."""

    run: str
    attempt: int
    state: str
    what: str | None = None
    outcome: str | None = None


LiveEvent = StatusEvent | MetricsEvent | LogEvent | ProgressEvent
