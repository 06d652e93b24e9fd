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

    # Built when first used: a command that starts uses two of a hundred.
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


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
    """A named executor, model, dataset loader or dataset; `latest` is its newest version's id.

    `aliases` are names for numbers of versions; a dataset has `expectations` as YAML, or None.
    """

    kind: Literal["executor", "model", "loader", "dataset"]
    project: str
    versions: int
    latest: str | None
    aliases: dict[str, int] = {}
    expectations: str | None = None


class Artifact(Result):
    """A file of a trained model; `digest` is the SHA-256 of its content in hex."""

    path: str
    digest: str
    size: int


class Content(Result):
    """The bytes of a version: `root` names all of them, `size` is in bytes."""

    artifact: str
    root: str
    size: int
    files: int
    format: str
    quarantined: bool = False


class Version(Maskable):
    """One immutable version of an abstraction: code, content, or both, and what is said of them.

    `artifacts` are the files of a model that was kept before there was `content`. Lists leave out
    the members from `card` on.
    """

    id: str
    abstraction: str
    kind: Literal["executor", "model", "loader", "dataset"]
    project: str
    number: int
    source: dict[str, Any] | None = None
    artifacts: tuple[Artifact, ...] = ()
    content: Content | None = None
    origin: dict[str, Any] | None = None
    description: str = ""
    tags: dict[str, str] = {}
    aliases: tuple[str, ...] = ()
    metrics: dict[str, float] = {}
    parameters: dict[str, Any] = {}
    parents: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    mode: str | None = None
    form: str | None = None
    reproducible: bool | None = None
    quality: str | None = None
    archived: bool = False
    deleted: bool = False
    deleted_reason: str | None = None
    created_by: str
    created_at: datetime
    card: str | None = None
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    environment: Any = None
    origin_source: Any = None
    hold: str | None = None
    retained_until: datetime | None = None
    profile: dict[str, Any] | None = None
    profile_error: str | None = None
    examples: dict[str, Any] | None = None
    checks: tuple[dict[str, Any], ...] | None = None
    check_examples: dict[str, Any] | None = None


class Step(Result):
    """What the next number of SemVer should be, and why."""

    step: Literal["major", "minor", "patch"]
    reasons: tuple[str, ...]


class Pushed(Version):
    """The version that a push ended in; `created` is false if it was the latest already.

    `sent` is the bytes of content that went to the server, `step` what changed in code for those
    who use it.
    """

    name: str
    created: bool
    sent: int = 0
    step: Step | None = None


class Run(Shared):
    """One execution, shared as its experiment. Lists leave out notes, facts, failure, outputs."""

    project: str
    experiment: str
    executor: str
    parameters: dict[str, Any]
    slots: dict[str, dict[str, Any]]
    resources: dict[str, Any]
    seed: int
    run_group: str | None = None
    variables: dict[str, Any] = {}
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


class Told(Result):
    """What the platform stored of a local run, and what has become of the run."""

    seq: int
    status: str
    cancel_requested: bool


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


class HardwareEvent(MetricsEvent):
    """What the node has measured of a run: CPU, memory, disk and GPUs, as new points."""


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


LiveEvent = StatusEvent | MetricsEvent | HardwareEvent | LogEvent | ProgressEvent
