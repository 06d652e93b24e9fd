"""Metric payloads as numpy arrays, without copies where the format allows.

The layout is `hansard.formats.columns`; that module is for steps, where numpy may be missing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hansard.formats.columns import Column, PackedColumn, pack_metrics, packed_columns
from hansard.formats.points import HARDWARE_PREFIX

__all__ = [
    "HARDWARE_PREFIX",
    *("FrameError", "LatestPoint", "Series"),
    *("joined", "latest_points", "pack_series", "unpack_series"),
]


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one key in logged order: int64 steps, float64 values, int64 Unix milliseconds."""

    key: str
    steps: NDArray[np.int64]
    values: NDArray[np.float64]
    times: NDArray[np.int64]


class LatestPoint(NamedTuple):
    """The last point of a column, and the smallest and largest value in it that is not NaN."""

    key: str
    points: int
    step: int
    value: float
    time: int
    low: float | None
    high: float | None


def unpack_series(payload: bytes, key: str | None = None) -> Iterator[Series]:
    """The series in a payload, or that of one key. Raises FrameError."""
    for packed in packed_columns(payload):
        if key is None or packed.key == key:
            yield Series(packed.key, _steps(packed), _values(packed), _times(packed))


def pack_series(series: Series) -> bytes:
    """A payload of one series."""
    steps = np.ascontiguousarray(series.steps).data
    values = np.ascontiguousarray(series.values).data
    times = np.ascontiguousarray(series.times).data
    return pack_metrics([Column(series.key, steps, values, times)])


def joined(key: str, parts: Iterable[Series]) -> Series:
    """Consecutive parts as one series."""
    parts = list(parts)
    return Series(
        key,
        np.concatenate([part.steps for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.times for part in parts]),
    )


def latest_points(payload: bytes) -> Iterator[LatestPoint]:
    """The last point of each column. Raises FrameError."""
    for packed in packed_columns(payload):
        last = packed.points - 1
        if packed.steps is None:
            step = packed.start + packed.stride * last
        else:
            step = int(packed.steps[last])
        time = packed.times[last] if packed.wide else packed.base + packed.times[last]
        value = float(packed.values[last])
        yield LatestPoint(packed.key, packed.points, step, value, int(time), *_extremes(packed))


def _steps(packed: PackedColumn) -> NDArray[np.int64]:
    if packed.steps is not None:
        return np.frombuffer(packed.steps, np.int64)
    steps = np.arange(packed.points, dtype=np.int64)
    steps *= packed.stride
    steps += packed.start
    return steps


def _values(packed: PackedColumn) -> NDArray[np.float64]:
    return np.frombuffer(packed.values, np.float64)


def _extremes(packed: PackedColumn) -> tuple[float | None, float | None]:
    """Smallest and largest value, with one zero only; None for both where all are NaN."""
    values = _values(packed)
    low, high = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
    return (None, None) if low != low else (low + 0.0, high + 0.0)


def _times(packed: PackedColumn) -> NDArray[np.int64]:
    if packed.wide:
        return np.frombuffer(packed.times, np.int64)
    times = np.frombuffer(packed.times, np.int32).astype(np.int64)
    times += packed.base
    return times
