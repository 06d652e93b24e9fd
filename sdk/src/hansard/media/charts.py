"""Histograms and confusion matrices of what a step has at hand."""

import math
import operator
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from hansard.media.arrays import labels, numbers, real_array
from hansard.media.values import MAX_BINS, MAX_LABELS, ConfusionMatrix, Histogram, Label


def histogram(values: object, bins: int) -> Histogram:
    """Values sorted into equal bins from the smallest to the largest, or ``(counts, edges)`` as is.

    Arrays may have any shape. Raises TypeError for what are no numbers, ValueError for a number of
    bins outside of 1 to 10,000 and for counts and edges that do not fit each other.
    """
    if not 1 <= operator.index(bins) <= MAX_BINS:
        raise ValueError(f"a histogram has 1 to {MAX_BINS} bins, not {bins}")
    counted = _counted(values)
    if counted is not None:
        counts, edges = numbers(counted[0], "counts"), numbers(counted[1], "edges")
        return Histogram(tuple(map(_whole_if_it_is, counts)), tuple(edges))
    array = real_array(values, "values")
    if array is not None:
        return _of_array(array.ravel(), bins)
    return _of_list(numbers(values, "values"), bins)


def confusion(truth: object, predicted: object, names: object = None) -> ConfusionMatrix:
    """Which class was taken for which; ``names`` gives the order of the labels, by default sorted.

    Raises TypeError for what are no labels, ValueError for lists of different lengths, labels
    missing in ``names`` and more than 2,000 labels.
    """
    rows, columns = labels(truth, "truth"), labels(predicted, "predicted")
    if len(rows) != len(columns):
        raise ValueError(f"{len(rows)} true labels, but {len(columns)} predicted ones")
    pairs = Counter(zip(rows, columns, strict=True))
    found = {label for pair in pairs for label in pair}
    order = _ordered(found) if names is None else labels(names, "labels")
    missing = found.difference(order)
    if missing:
        raise ValueError(f"`labels` lacks the label {next(iter(missing))!r}")
    if len(order) > MAX_LABELS:
        raise ValueError(f"a confusion matrix has at most {MAX_LABELS} labels, not {len(order)}")
    counts = tuple(tuple(pairs[row, column] for column in order) for row in order)
    return ConfusionMatrix(tuple(order), counts)


def _counted(values: object) -> tuple[object, object] | None:
    """The counts and edges, if this is what ``numpy.histogram`` returns: a tuple of two lists."""
    if not isinstance(values, tuple) or len(values) != 2:
        return None
    if not all(getattr(each, "ndim", 1) and hasattr(each, "__len__") for each in values):
        return None
    return values[0], values[1]


def _whole_if_it_is(count: float) -> int | float:
    return int(count) if count.is_integer() else count


def _of_array(flat: Any, bins: int) -> Histogram:
    numpy = import_module("numpy")
    if flat.dtype.kind == "b" or flat.dtype.itemsize > 8:
        flat = flat.astype("float64")
    finite = numpy.isfinite(flat)
    strange = flat[~finite].tolist()
    if strange:
        flat = flat[finite]
    lowest, highest = (float(flat.min()), float(flat.max())) if flat.size else (0.0, 1.0)
    edges = _edges(lowest, highest, bins)
    counts, _ = numpy.histogram(flat, bins=numpy.asarray(edges))
    return Histogram(tuple(counts.tolist()), edges, *_apart(strange))


def _of_list(values: Sequence[float], bins: int) -> Histogram:
    finite = [each for each in values if math.isfinite(each)]
    edges = _edges(min(finite, default=0.0), max(finite, default=1.0), bins)
    counts = [0] * bins
    for each in finite:
        counts[min(bisect_right(edges, each), bins) - 1] += 1
    strange = [each for each in values if not math.isfinite(each)]
    return Histogram(tuple(counts), edges, *_apart(strange))


def _apart(strange: Sequence[float]) -> tuple[int, int, int]:
    up, down = strange.count(math.inf), strange.count(-math.inf)
    return len(strange) - up - down, up, down


def _edges(lowest: float, highest: float, bins: int) -> tuple[float, ...]:
    if lowest == highest:
        # One value gets a bin around it that a chart can show, at any magnitude.
        margin = max(0.5, abs(lowest) * 1e-6)
        lowest = max(lowest - margin, -sys.float_info.max)
        highest = min(highest + margin, sys.float_info.max)
    if bins == 1:
        return lowest, highest
    # From both ends, since the distance between them may be outside of float64.
    width = highest / bins - lowest / bins
    middle = (bins + 1) // 2
    rising = [lowest + number * width for number in range(middle)]
    falling = [highest - (bins - number) * width for number in range(middle, bins + 1)]
    # Sorted, since among the smallest numbers of float64 the halves may cross by rounding.
    return tuple(sorted(min(max(edge, lowest), highest) for edge in rising + falling))


def _ordered(found: set[Label]) -> list[Label]:
    try:
        return sorted(found)
    except TypeError:
        return sorted(found, key=lambda label: (type(label).__name__, str(label)))
