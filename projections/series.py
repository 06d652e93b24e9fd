"""Series of a run: all points of a key, or as many buckets as a chart has pixels.

They are either the metrics that it logged, or what its node has measured of it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infra.database import Connection
from infra.metric_columns import HARDWARE_PREFIX, Series, joined, unpack_series
from policies.access import Permit
from projections import blocks

_WANTED = (
    "(%s::text[] IS NULL OR key = ANY(%s)) AND (%s::bool IS NULL OR starts_with(key, %s) = %s)"
)
_CHUNKS = (
    "SELECT key, payload FROM metric_chunk WHERE run = %s AND attempt = %s "
    f"AND {_WANTED} AND key <> ALL(%s) ORDER BY key, seq"
)
_LONG = (
    "SELECT key, sum(points) FROM metric_chunk WHERE run = %s AND attempt = %s "
    f"AND {_WANTED} GROUP BY key "
    "HAVING sum(points) >= %s AND bool_and(summary IS NOT NULL)"
)
_SUMMARIES = (
    "SELECT summary FROM metric_chunk WHERE run = %s AND attempt = %s AND key = %s ORDER BY seq"
)
_TAIL = "SELECT payload FROM metric_tail WHERE run = %s AND attempt = %s ORDER BY seq"

_BLOCKS_A_BUCKET = 4
"""With fewer blocks than this in a bucket, its width would show that they are cut beforehand."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Some keys or all, of what the node has measured, of all else, or of both (None)."""

    keys: list[str] | None
    measured: bool | None

    def __contains__(self, key: str) -> bool:
        fits = self.measured in (None, key.startswith(HARDWARE_PREFIX))
        return fits and (self.keys is None or key in self.keys)

    @property
    def bound(self) -> tuple[Any, ...]:
        """The values of the condition."""
        return self.keys, self.keys, self.measured, HARDWARE_PREFIX, self.measured


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


def read_series(
    connection: Connection,
    permit: Permit,
    attempt: int,
    keys: Sequence[str] | None,
    max_points: int,
    *,
    measured: bool = False,
) -> list[Buckets]:
    """The series of a run's attempt, each in at most `max_points` buckets, ordered by key.

    They are its metrics, or what its node has `measured`.
    """
    run = permit.entity
    wanted = _Wanted(list(keys) if keys is not None else None, measured)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        tail = _read_tail(connection, run, attempt, wanted)
        found = _read_summaries(connection, (run, attempt), wanted, max_points, tail)
        rest = _read_chunks(connection, (run, attempt), wanted, without=list(found))
        for key, series in tail.items():
            if key not in found:
                rest[key] += series
    found |= {key: in_buckets(joined(key, parts), max_points) for key, parts in rest.items()}
    return [found[key] for key in sorted(found)]


def read_attempt(
    connection: Connection,
    run: str,
    attempt: int,
    keys: Sequence[str] | None = None,
) -> dict[str, list[Series]]:
    """The parts of each series of an attempt, metrics and measured ones, in logged order."""
    wanted = _Wanted(list(keys) if keys is not None else None, None)
    parts = _read_chunks(connection, (run, attempt), wanted, without=[])
    for key, series in _read_tail(connection, run, attempt, wanted).items():
        parts[key] += series
    return parts


def _read_chunks(
    connection: Connection, place: tuple[str, int], wanted: _Wanted, without: list[str]
) -> dict[str, list[Series]]:
    """What is compacted, of the wanted keys but some."""
    parts: dict[str, list[Series]] = defaultdict(list)
    chunks = connection.execute(_CHUNKS, (*place, *wanted.bound, without), binary=True)
    for key, payload in chunks.fetchall():
        parts[key].extend(unpack_series(payload))
    return parts


def _read_tail(
    connection: Connection, run: str, attempt: int, wanted: _Wanted
) -> dict[str, list[Series]]:
    """What is not compacted yet."""
    parts: dict[str, list[Series]] = defaultdict(list)
    for (payload,) in connection.execute(_TAIL, (run, attempt), binary=True).fetchall():
        for series in unpack_series(payload):
            if series.key in wanted:
                parts[series.key].append(series)
    return parts


def _read_summaries(
    connection: Connection,
    place: tuple[str, int],
    wanted: _Wanted,
    max_points: int,
    tail: Mapping[str, list[Series]],
) -> dict[str, Buckets]:
    """Buckets of those series that are so long that their summaries will do."""
    enough = max_points * _BLOCKS_A_BUCKET * blocks.POINTS
    found: dict[str, Buckets] = {}
    for key, points in connection.execute(_LONG, (*place, *wanted.bound, enough)).fetchall():
        rows = connection.execute(_SUMMARIES, (*place, key), binary=True).fetchall()
        newest = tail.get(key, [])
        parts = [blocks.read_summaries([row[0] for row in rows])]
        parts += [blocks.of_points(series) for series in newest]
        whole = np.concatenate(parts)
        if blocks.in_order(whole):
            total = int(points) + sum(len(series.steps) for series in newest)
            found[key] = _cut(key, total, whole, max_points)
    return found


def in_buckets(series: Series, max_points: int) -> Buckets:
    """Cut a series into at most `max_points` buckets of equal width in steps.

    Points that were logged out of step order are ordered first; equal steps keep logged order.
    """
    steps = series.steps
    if np.any(steps[1:] < steps[:-1]):
        order = np.argsort(steps, kind="stable")
        series = Series(series.key, steps[order], series.values[order], series.times[order])
    return _cut(series.key, len(steps), blocks.of_points(series), max_points)


def _cut(key: str, points: int, whole: blocks.Blocks, max_points: int) -> Buckets:
    """Blocks in step order as buckets; a block belongs where its first step does."""
    found = blocks.merged(whole, _bucket_starts(whole["first_step"], max_points))
    return Buckets(
        key=key,
        points=points,
        first_step=found["first_step"],
        last_step=found["last_step"],
        low=found["low"],
        high=found["high"],
        last=found["last"],
        time=found["time"],
    )


def _bucket_starts(steps: NDArray[np.int64], max_points: int) -> NDArray[np.intp]:
    """Index of the first block of each bucket that holds one."""
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
        "first_step": np.ascontiguousarray(buckets.first_step),
        "step": np.ascontiguousarray(buckets.last_step),
        "min": finite_or_text(buckets.low),
        "max": finite_or_text(buckets.high),
        "last": finite_or_text(buckets.last),
        "time": np.ascontiguousarray(buckets.time),
    }


def finite_or_text(values: NDArray[np.float64]) -> NDArray[np.float64] | list[float | str]:
    """Values for JSON, which has no NaN and no infinities: those become text."""
    if np.isfinite(values).all():
        return np.ascontiguousarray(values)
    return [value if np.isfinite(value) else str(value) for value in values.tolist()]
