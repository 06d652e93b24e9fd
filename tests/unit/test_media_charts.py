"""Histograms and confusion matrices count everything once, whatever library the values are of."""

import math
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

import hansard
from hansard import run_log
from hansard.media.charts import confusion, histogram
from hansard.media.values import ConfusionMatrix, Curve, Histogram
from tests.unit.step_items import last, listed

FLOATS = st.lists(st.floats(), max_size=40)
SMALL = struct.unpack("<d", b"\x01" + bytes(7))[0]


@pytest.fixture
def step_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(run_log.STEP_DIR_VARIABLE, str(tmp_path))
    return tmp_path


def check(found: Histogram, values: list[float]) -> None:
    finite = sorted(each for each in values if math.isfinite(each))
    apart = found.nan + found.positive_infinite + found.negative_infinite
    assert sum(found.counts) == len(finite)
    assert apart == len(values) - len(finite)
    if finite:
        assert found.edges[0] <= finite[0] <= finite[-1] <= found.edges[-1]
    for count, low, high in zip(found.counts, found.edges, found.edges[1:], strict=False):
        inside = sum(low <= each < high or each == high == finite[-1] for each in finite)
        assert count <= inside


@given(FLOATS, st.integers(1, 70))
def test_every_value_is_counted_once_and_in_its_bin(values: list[float], bins: int) -> None:
    found = histogram(values, bins)
    check(found, values)
    assert Histogram.from_json(found.to_json()) == found


@given(FLOATS, st.integers(1, 70))
def test_lists_and_arrays_are_counted_alike(values: list[float], bins: int) -> None:
    assert histogram(np.array(values), bins) == histogram(values, bins)


@given(st.lists(st.integers(-1000, 1000), min_size=1), st.integers(1, 70))
def test_counts_are_those_of_numpy(values: list[int], bins: int) -> None:
    found = histogram(values, bins)
    if len(set(values)) > 1:
        counts, edges = np.histogram(values, bins)
        assert found.edges == pytest.approx(edges, abs=1e-9)
        assert list(found.counts) == np.histogram(values, found.edges)[0].tolist()
        assert sum(abs(counts - found.counts)) <= 0.1 * len(values) + 2


@pytest.mark.parametrize(
    "values",
    [
        [],
        [math.nan, math.inf, -math.inf, math.inf],
        [1e308, -1e308],
        [1.7976931348623157e308],
        [0.0, SMALL],
        [0.0, 3 * SMALL],
        [5.0] * 3,
        [1e300, math.nextafter(1e300, math.inf)],
        [2**63, -(2**63)],
    ],
)
@pytest.mark.parametrize("bins", [1, 2, 5, 64])
def test_the_extremes_of_float64_have_bins(values: list[float], bins: int) -> None:
    found = histogram(values, bins)
    check(found, values)
    assert found.edges[0] < found.edges[-1]
    assert histogram(np.array(values, "float64"), bins) == found


@pytest.mark.parametrize(
    "values",
    [
        np.array([[1, 2], [3, 4]], "float32"),
        np.array([1, 2, 3, 4], "uint64"),
        np.array([1, 2, 3, 4], "longdouble"),
        torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True),
        torch.tensor([1, 2, 3, 4], dtype=torch.bfloat16),
        range(1, 5),
        (number for number in (1, 2.0, 3, 4)),
        (1, 2, 3, 4),
        [np.float32(1), torch.tensor(2), 3, np.int8(4)],
    ],
)
def test_numbers_of_every_library_are_counted(step_dir: Path, values: object) -> None:
    hansard.log_histogram("weights", values, bins=3, step=1)
    found = last(step_dir)
    assert (found.counts, found.edges) == ((1, 1, 2), (1.0, 2.0, 3.0, 4.0))
    assert listed(step_dir)[0]["meta"] == {"bins": 3, "values": 4}


def test_truth_values_are_counted() -> None:
    assert histogram(np.array([True, False, True]), 2).counts == (1, 2)


@pytest.mark.parametrize(
    "counted",
    [
        np.histogram([1.0, 2.0, 4.0], bins=2),
        torch.histogram(torch.tensor([1.0, 2.0, 4.0]), bins=2),
        ([2, 1], [1, 2.5, 4]),
    ],
)
def test_what_was_counted_elsewhere_is_kept(step_dir: Path, counted: Any) -> None:
    hansard.log_histogram("weights", counted)
    assert last(step_dir) == Histogram((2, 1), (1.0, 2.5, 4.0))
    counts, edges = last(step_dir).to_numpy()
    assert (counts.tolist(), edges.tolist()) == ([2, 1], [1.0, 2.5, 4.0])


@pytest.mark.parametrize(
    ("odd", "error"),
    [
        (([1], [1]), ValueError),
        (([1], [2, 1]), ValueError),
        (([-1], [1, 2]), ValueError),
        (([math.nan], [1, 2]), ValueError),
        (([1], [1, math.inf]), ValueError),
        (([], [1]), ValueError),
        ("12", TypeError),
        (5, TypeError),
        ({"a": 1}, TypeError),
        (["1"], TypeError),
        ([[1, 2]], TypeError),
        ([10**400], ValueError),
        (np.array([1j]), TypeError),
        (np.array(["a"]), TypeError),
    ],
)
def test_what_is_no_histogram_is_refused(
    step_dir: Path, odd: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        hansard.log_histogram("weights", odd)
    for bins in (0, 10_001):
        with pytest.raises(ValueError, match="bins"):
            hansard.log_histogram("weights", [1], bins=bins)
    assert list(step_dir.iterdir()) == []


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1).filter(
        lambda pairs: len({label for pair in pairs for label in pair}) > 1
    )
)
def test_a_confusion_matrix_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    truth, predicted = zip(*pairs, strict=True)
    found = confusion(truth, predicted)
    assert found.to_numpy().tolist() == confusion_matrix(truth, predicted).tolist()
    assert list(found.labels) == sorted({*truth, *predicted})
    assert Counter(pairs).total() == found.to_numpy().sum()
    assert ConfusionMatrix.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("truth", "predicted", "labels"),
    [
        ([0, 1, 1], np.array([0, 1, 0]), (0, 1)),
        (torch.tensor([0, 1, 1]), [np.int64(0), 1, torch.tensor(0)], (0, 1)),
        ([False, True, True], np.array([False, True, False]), (False, True)),
        (np.array(["a", "b", "b"]), ["a", "b", "a"], ("a", "b")),
        ([1, "1", "1"], [1, "1", 1], (1, "1")),
    ],
)
def test_labels_of_every_library_are_kept(
    step_dir: Path, truth: object, predicted: object, labels: tuple[object, ...]
) -> None:
    hansard.log_confusion_matrix("digits", truth, predicted)
    found = last(step_dir)
    assert found == ConfusionMatrix(found.labels, ((1, 0), (1, 1)))
    assert [(type(label), label) for label in found.labels] == [(type(x), x) for x in labels]
    assert listed(step_dir)[0]["meta"] == {"labels": 2}


def test_labels_may_be_given_in_their_order(step_dir: Path) -> None:
    hansard.log_confusion_matrix("animals", ["cat"], ["dog"], labels=["dog", "cat", "cow"])
    assert last(step_dir) == ConfusionMatrix(
        ("dog", "cat", "cow"), ((0, 0, 0), (1, 0, 0), (0, 0, 0))
    )


@pytest.mark.parametrize(
    ("truth", "predicted", "labels", "error"),
    [
        (["a"], ["a", "b"], None, ValueError),
        (["a"], ["b"], ["a"], ValueError),
        (["a"], ["a"], ["a", "a"], ValueError),
        ([], [], None, ValueError),
        (range(2001), range(2001), None, ValueError),
        ([math.nan], [1.0], None, ValueError),
        ([None], [1], None, TypeError),
        ([[1]], [[1]], None, TypeError),
        ("ab", "ab", None, TypeError),
        (1, 1, None, TypeError),
    ],
)
def test_what_is_no_confusion_matrix_is_refused(
    step_dir: Path, truth: object, predicted: object, labels: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        hansard.log_confusion_matrix("digits", truth, predicted, labels=labels)
    assert list(step_dir.iterdir()) == []


HOSTILE = [
    b"",
    b"\xff",
    b"[]",
    b"[" * 100_000,
    b"{}",
    b'{"counts": [1], "edges": [0, NaN]}',
    b'{"counts": [true], "edges": [0, 1]}',
    b'{"counts": [1], "edges": [0, "one"]}',
    b'{"counts": [1], "edges": [0, 1' + b"0" * 400 + b"]}",
    b'{"counts": [1], "edges": [0, 1], "nan": -1}',
    b'{"counts": [1], "edges": [0, 1], "nan": 0.5}',
    b'{"counts": [[1]], "labels": [null]}',
    b'{"counts": [[1, 2]], "labels": ["a"]}',
    b'{"counts": [[0.5]], "labels": ["a"]}',
    b'{"counts": [[-1]], "labels": ["a"]}',
    b'{"counts": [[1]], "labels": [Infinity]}',
    b'{"x": [1], "y": [1], "thresholds": [], "x_label": 1, "y_label": "y"}',
    b'{"x": [1], "y": [1, 2], "thresholds": [], "x_label": "x", "y_label": "y"}',
    b'{"x": [1], "y": [{}], "thresholds": [], "x_label": "x", "y_label": "y"}',
]


@pytest.mark.parametrize("data", HOSTILE)
@pytest.mark.parametrize("kind", [Histogram, ConfusionMatrix, Curve])
def test_a_file_with_another_content_is_refused(
    data: bytes, kind: type[Histogram | ConfusionMatrix | Curve]
) -> None:
    with pytest.raises(ValueError):
        kind.from_json(data)
