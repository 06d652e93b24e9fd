"""Charts as plain values: what a logged histogram, confusion matrix or curve is when read back.

Each is checked when made, so that one from a hostile file is as sound as one from a step.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias

Label: TypeAlias = str | int | float | bool
"""What a class may be called; floats are finite."""

MAX_LABELS = 2000
MAX_BINS = 10_000

_SPELLED = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values lie in each bin: ``counts[i]`` between ``edges[i]`` and ``edges[i + 1]``.

    A bin holds its lower edge, the last one its upper edge too. Values that are no finite numbers
    are counted apart. Raises ValueError for what is no histogram.
    """

    counts: tuple[int | float, ...]
    edges: tuple[float, ...]
    nan: int = 0
    positive_infinite: int = 0
    negative_infinite: int = 0

    def __post_init__(self) -> None:
        if not 0 < len(self.counts) <= MAX_BINS or len(self.edges) != len(self.counts) + 1:
            raise ValueError(f"a histogram has 1 to {MAX_BINS} bins and one edge more than bins")
        if not all(map(math.isfinite, self.edges)) or list(self.edges) != sorted(self.edges):
            raise ValueError("the edges of a histogram are finite and ascend")
        apart = (self.nan, self.positive_infinite, self.negative_infinite)
        if not all(0 <= count < math.inf for count in (*self.counts, *apart)):
            raise ValueError("the counts of a histogram are finite and not negative")

    def to_numpy(self) -> tuple[Any, Any]:
        """``(counts, edges)`` as arrays, as ``numpy.histogram`` returns them."""
        numpy = import_module("numpy")
        return numpy.asarray(self.counts), numpy.asarray(self.edges, dtype="float64")

    def to_json(self) -> bytes:
        """The file form; `from_json` reads it."""
        apart = {name: getattr(self, name) for name in _APART}
        return json.dumps({"counts": self.counts, "edges": self.edges, **apart}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Histogram":
        """The histogram in a file. Raises ValueError if there is none."""
        found = json_object(data)
        apart = {name: _whole(found.get(name, 0)) for name in _APART}
        return cls(_numbers(found.get("counts")), _floats(found.get("edges")), **apart)


_APART = ("nan", "positive_infinite", "negative_infinite")


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """How often class ``labels[i]`` was taken for ``labels[j]``: ``counts[i][j]``.

    Raises ValueError for what is no such matrix.
    """

    labels: tuple[Label, ...]
    counts: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        size = len(self.labels)
        if not 0 < size <= MAX_LABELS:
            raise ValueError(f"a confusion matrix has 1 to {MAX_LABELS} labels, this one {size}")
        if len(set(self.labels)) < size:
            raise ValueError("a label occurs twice")
        if any(isinstance(label, float) and not math.isfinite(label) for label in self.labels):
            raise ValueError("a label is no finite number")
        if len(self.counts) != size or any(len(row) != size for row in self.counts):
            raise ValueError("a confusion matrix has a row and a column for each label")
        if any(count < 0 for row in self.counts for count in row):
            raise ValueError("a count is negative")

    def to_numpy(self) -> Any:
        """The counts as an int64 array, true classes in rows, predicted ones in columns."""
        return import_module("numpy").asarray(self.counts, dtype="int64")

    def to_json(self) -> bytes:
        """The file form; `from_json` reads it."""
        return json.dumps({"labels": self.labels, "counts": self.counts}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "ConfusionMatrix":
        """The matrix in a file. Raises ValueError if there is none."""
        found = json_object(data)
        labels = _listed(found.get("labels"))
        if not all(isinstance(label, str | int | float) for label in labels):
            raise ValueError("a label is text, a number or a truth value")
        rows = _listed(found.get("counts"))
        return cls(tuple(labels), tuple(tuple(map(_whole, _listed(row))) for row in rows))


@dataclass(frozen=True, slots=True)
class Curve:
    """Points ``(x[i], y[i])`` in drawing order, NaN and infinities included.

    ``thresholds`` has the score at each point of a ROC or precision-recall curve, and is empty
    for others. Raises ValueError for lengths that differ.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    x_label: str = "x"
    y_label: str = "y"
    thresholds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.x) != len(self.y) or len(self.thresholds) not in (0, len(self.x)):
            raise ValueError(
                f"a curve has as many x as y and thresholds, not {len(self.x)}, {len(self.y)} "
                f"and {len(self.thresholds)}"
            )

    def to_numpy(self) -> tuple[Any, Any]:
        """``(x, y)`` as float64 arrays."""
        numpy = import_module("numpy")
        return numpy.asarray(self.x, dtype="float64"), numpy.asarray(self.y, dtype="float64")

    def to_json(self) -> bytes:
        """The file form; `from_json` reads it."""
        series = {name: spelled(getattr(self, name)) for name in ("x", "y", "thresholds")}
        return json.dumps({**series, "x_label": self.x_label, "y_label": self.y_label}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Curve":
        """The curve in a file. Raises ValueError if there is none."""
        found = json_object(data)
        x, y, thresholds = (_floats(found.get(name)) for name in ("x", "y", "thresholds"))
        x_label, y_label = found.get("x_label"), found.get("y_label")
        if not isinstance(x_label, str) or not isinstance(y_label, str):
            raise ValueError("the label of an axis is no text")
        return cls(x, y, x_label, y_label, thresholds)


def spelled(values: Sequence[float]) -> list[float | str]:
    """Numbers as JSON can hold them: what is not finite by its name."""
    return [each if math.isfinite(each) else spelling(each) for each in values]


def spelling(value: float) -> str:
    """The name of a number that is not finite."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def named(value: object) -> float:
    """The number with this name. Raises ValueError if no number has it."""
    if not isinstance(value, str) or value not in _SPELLED:
        raise ValueError("a number is neither a number nor the name of one")
    return _SPELLED[value]


def json_object(data: bytes) -> dict[str, Any]:
    """The JSON object in ``data``. Raises ValueError if that is none."""
    try:
        found = json.loads(data, parse_constant=named)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("the file holds no JSON object")
    return found


def _listed(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("a list is missing")
    return value


def _numbers(value: object) -> tuple[int | float, ...]:
    return tuple(each if type(each) in (int, float) else named(each) for each in _listed(value))


def _floats(value: object) -> tuple[float, ...]:
    try:
        return tuple(float(each) for each in _numbers(value))
    except OverflowError:
        raise ValueError("a number is outside of float64") from None


def _whole(value: object) -> int:
    if type(value) is not int:
        raise ValueError("a count is no whole number")
    return value
