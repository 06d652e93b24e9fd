"""What the client answers about what a run wrote while it ran: metrics, lines, logged items."""

from typing import Any

from hansard.client.results import Result


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


class Hardware(Result):
    """What the node of an attempt has measured of it, as series over the numbers of samples."""

    items: tuple[Series, ...]
    attempt: int


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


class RunItem(Result):
    """Something that a run logged as a file; its content is `path` of the artifact `artifact`.

    `number` counts from 1 within an attempt, `time` is in Unix milliseconds, `size` in bytes.
    """

    number: int
    name: str
    kind: str
    step: int | None
    time: int
    artifact: str
    path: str
    media: str
    size: int
    meta: dict[str, Any]
