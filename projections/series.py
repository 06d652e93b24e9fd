"""Metric series: all points of a key, or as many buckets as a chart has pixels."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.database import Connection
from infra.metric_columns import Series, joined, unpack_series

_CHUNKS = (
    "SELECT key, payload FROM metric_chunk WHERE run = %s AND attempt = %s "
    "AND (%s::text[] IS NULL OR key = ANY(%s)) ORDER BY key, seq"
)
_TAIL = "SELECT payload FROM metric_tail WHERE run = %s AND attempt = %s ORDER BY seq"


@dataclass(frozen=True, slots=True)
class Buckets:
    """A series of `points` points in buckets of equal width on the step axis.

    All arrays have one entry a bucket that holds a point: first and last step, smallest, largest
    and last value (NaN where a bucket holds nothing else), time of the last point.
    """

    key: str
    points: int
    first_step: NDArray[np.int64]
    last_step: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    last: NDArray[np.float64]
    time: NDArray[np.int64]


def read_attempt(
    connection: Connection, run: str, attempt: int, keys: Sequence[str] | None = None
) -> dict[str, list[Series]]:
    """The parts of each series of an attempt, in logged order."""
    wanted = list(keys) if keys is not None else None
    parts: dict[str, list[Series]] = defaultdict(list)
    chunks = connection.execute(_CHUNKS, (run, attempt, wanted, wanted), binary=True)
    for key, payload in chunks.fetchall():
        parts[key].extend(unpack_series(payload))
    for (payload,) in connection.execute(_TAIL, (run, attempt), binary=True).fetchall():
        for series in unpack_series(payload):
            if wanted is None or series.key in wanted:
                parts[series.key].append(series)
    return parts


def read_series(
    connection: Connection, run: str, attempt: int, keys: Sequence[str] | None, max_points: int
) -> list[Buckets]:
    """The series of a run's attempt, each in at most `max_points` buckets, ordered by key."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        parts = read_attempt(connection, run, attempt, keys)
    return [in_buckets(joined(key, found), max_points) for key, found in sorted(parts.items())]


def in_buckets(series: Series, max_points: int) -> Buckets:
    """Cut a series into at most `max_points` buckets of equal width in steps.

    Points that were logged out of step order are ordered first; equal steps keep logged order.
    """
    steps, values, times = series.steps, series.values, series.times
    if np.any(steps[1:] < steps[:-1]):
        order = np.argsort(steps, kind="stable")
        steps, values, times = steps[order], values[order], times[order]
    starts = _bucket_starts(steps, max_points)
    ends = np.append(starts[1:], len(steps)) - 1
    return Buckets(
        key=series.key,
        points=len(steps),
        first_step=steps[starts],
        last_step=steps[ends],
        low=np.fmin.reduceat(values, starts),
        high=np.fmax.reduceat(values, starts),
        last=values[ends],
        time=times[ends],
    )


def _bucket_starts(steps: NDArray[np.int64], max_points: int) -> NDArray[np.intp]:
    """Index of the first point of each bucket that holds one."""
    if len(steps) <= max_points:
        return np.arange(len(steps))
    # Whole numbers: edges in floating point would have all steps converted to be compared.
    first, span = int(steps[0]), int(steps[-1]) - int(steps[0])
    edges = [first - (-span * bucket // max_points) for bucket in range(max_points)]
    return np.unique(np.searchsorted(steps, np.array(edges, np.int64), side="left"))


def as_json(buckets: Buckets) -> dict[str, Any]:
    """The wire form: columns of equal length; non-finite values as the strings of IEEE 754."""
    return {
        "key": buckets.key,
        "points": buckets.points,
        "first_step": buckets.first_step,
        "step": buckets.last_step,
        "min": finite_or_text(buckets.low),
        "max": finite_or_text(buckets.high),
        "last": finite_or_text(buckets.last),
        "time": buckets.time,
    }


def finite_or_text(values: NDArray[np.float64]) -> NDArray[np.float64] | list[float | str]:
    """Values for JSON, which has no NaN and no infinities: those become text."""
    if np.isfinite(values).all():
        return values
    return [value if np.isfinite(value) else str(value) for value in values.tolist()]
