"""Consecutive points in short: what a chart needs of points that share a pixel.

A long series is stored with such a summary, so that a chart of it reads one part in sixteen.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from infra.metric_columns import Series

POINTS = 64

_BLOCK = np.dtype(
    [
        ("first_step", "<i8"),
        ("last_step", "<i8"),
        ("low", "<f8"),
        ("high", "<f8"),
        ("last", "<f8"),
        ("time", "<i8"),
    ]
)

Blocks = NDArray[np.void]
"""A structured array: first and last step, smallest, largest, last value, time of the last."""


def of_points(series: Series) -> Blocks:
    """Each point as a block of its own."""
    blocks = np.empty(len(series.steps), _BLOCK)
    blocks["first_step"] = blocks["last_step"] = series.steps
    blocks["low"] = blocks["high"] = blocks["last"] = series.values
    blocks["time"] = series.times
    return blocks


def merged(blocks: Blocks, starts: NDArray[np.intp]) -> Blocks:
    """Blocks from each start up to the next as one; NaN counts only where there is nothing else."""
    ends = np.append(starts[1:], len(blocks)) - 1
    found = np.empty(len(starts), _BLOCK)
    found["first_step"] = blocks["first_step"][starts]
    found["last_step"] = blocks["last_step"][ends]
    found["low"] = np.fmin.reduceat(blocks["low"], starts)
    found["high"] = np.fmax.reduceat(blocks["high"], starts)
    found["last"] = blocks["last"][ends]
    found["time"] = blocks["time"][ends]
    return found


def summary(series: Series) -> bytes | None:
    """A block for every 64 points; None for a short series, and for steps out of order."""
    steps = series.steps
    if len(steps) < 2 * POINTS or np.any(steps[1:] < steps[:-1]):
        return None
    return merged(of_points(series), np.arange(0, len(steps), POINTS)).tobytes()


def read_summaries(stored: Sequence[bytes]) -> Blocks:
    """The blocks of consecutive summaries."""
    return np.concatenate([np.frombuffer(each, _BLOCK) for each in stored])


def in_order(blocks: Blocks) -> bool:
    """Whether no block begins before the one in front of it ends."""
    return not np.any(blocks["first_step"][1:] < blocks["last_step"][:-1])
