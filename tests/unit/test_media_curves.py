"""Curves are those of scikit-learn, ties included, and come back number for number."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

import hansard
from hansard import run_log
from hansard.media.curves import precision_recall, roc
from hansard.media.values import Curve
from tests.unit.step_items import last, listed

SCORES = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(-1e6, 1e6))
RANKED = st.lists(st.tuples(st.sampled_from([0, 1]), SCORES), min_size=2, max_size=60).filter(
    lambda pairs: len({truth for truth, _ in pairs}) == 2
)


@pytest.fixture
def step_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(run_log.STEP_DIR_VARIABLE, str(tmp_path))
    return tmp_path


def close(found: tuple[float, ...], expected: Any) -> None:
    assert list(found) == pytest.approx(list(expected), rel=1e-12, abs=1e-15)


@given(RANKED)
def test_a_roc_curve_is_that_of_scikit_learn(pairs: list[tuple[int, float]]) -> None:
    truth, scores = zip(*pairs, strict=True)
    curve, area = roc(truth, scores)
    rates = roc_curve(truth, scores)
    for found, expected in zip((curve.x, curve.y, curve.thresholds), rates, strict=True):
        close(found, expected)
    assert area == pytest.approx(roc_auc_score(truth, scores), rel=1e-12)
    assert Curve.from_json(curve.to_json()) == curve


@given(RANKED)
def test_a_precision_recall_curve_is_that_of_scikit_learn(
    pairs: list[tuple[int, float]],
) -> None:
    truth, scores = zip(*pairs, strict=True)
    curve, average = precision_recall(truth, scores)
    precision, recall, thresholds = precision_recall_curve(truth, scores, drop_intermediate=True)
    close(curve.x, recall[::-1])
    close(curve.y, precision[::-1])
    close(curve.thresholds, [math.inf, *thresholds[::-1]])
    assert average == pytest.approx(average_precision_score(truth, scores), rel=1e-12)


def test_the_area_is_exact_where_floats_would_round() -> None:
    truth = [1, 0] * 50_000
    _, area = roc(truth, [0.5] * len(truth))
    assert area == 0.5
    assert roc([1, 1, 1, 0, 0, 0], range(6))[1] == 0.0


@pytest.mark.parametrize(
    ("truth", "scores"),
    [
        ([False, True], [0.1, 0.9]),
        ([-1, 1], [0.1, 0.9]),
        (np.array([0, 1]), np.array([0.1, 0.9])),
        (np.array([False, True]), torch.tensor([0.1, 0.9], dtype=torch.float64)),
        (torch.tensor([0, 1]), [np.float64(0.1), 0.9]),
    ],
)
def test_examples_of_every_library_make_the_same_curves(
    step_dir: Path, truth: object, scores: object
) -> None:
    hansard.log_roc("digits", truth, scores, step=4)
    assert last(step_dir) == Curve(
        (0.0, 0.0, 1.0),
        (0.0, 1.0, 1.0),
        "false positive rate",
        "true positive rate",
        (math.inf, 0.9, 0.1),
    )
    hansard.log_precision_recall("digits", truth, scores)
    assert last(step_dir) == Curve(
        (0.0, 1.0, 1.0), (1.0, 1.0, 0.5), "recall", "precision", (math.inf, 0.9, 0.1)
    )
    first, second = listed(step_dir)
    assert first["meta"] == {
        "points": 3,
        "x_label": "false positive rate",
        "y_label": "true positive rate",
        "curve": "roc",
        "area": 1.0,
    }
    assert (second["meta"]["curve"], second["meta"]["average_precision"]) == (
        "precision_recall",
        1.0,
    )
    assert (first["kind"], first["step"], second["step"]) == ("curve", 4, None)


@pytest.mark.parametrize(
    ("truth", "scores", "error", "message"),
    [
        ([0, 1], [0.5], ValueError, "2 truths, but 1 scores"),
        ([0, 2], [0.5, 1], ValueError, "other values"),
        ([0, 1], [0.5, math.nan], ValueError, "not finite"),
        ([0, 1], [0.5, math.inf], ValueError, "not finite"),
        ([0, 0], [0.5, 1], ValueError, "positive"),
        ([], [], ValueError, "positive"),
        (["a", "b"], [0.5, 1], TypeError, "no number"),
        ([0, 1], np.zeros((2, 2)), ValueError, "dimensions"),
    ],
)
def test_scores_without_a_curve_are_refused(
    step_dir: Path, truth: object, scores: object, error: type[Exception], message: str
) -> None:
    for log in (hansard.log_roc, hansard.log_precision_recall):
        with pytest.raises(error, match=message):
            log("digits", truth, scores)
    with pytest.raises(ValueError, match="negative"):
        hansard.log_roc("digits", [1], [1])
    assert list(step_dir.iterdir()) == []


@given(st.lists(st.tuples(st.floats(), st.floats()), min_size=1))
def test_numbers_of_a_curve_survive_its_file(points: list[tuple[float, float]]) -> None:
    x, y = zip(*points, strict=True)
    found = Curve.from_json(Curve(x, y).to_json())
    assert repr(found) == repr(Curve(x, y))


def test_a_curve_keeps_points_and_labels(step_dir: Path) -> None:
    hansard.log_curve("lift", np.arange(3), torch.ones(3), x_label="share", y_label="lift")
    found = last(step_dir)
    assert found == Curve((0.0, 1.0, 2.0), (1.0, 1.0, 1.0), "share", "lift")
    assert [axis.tolist() for axis in found.to_numpy()] == [[0, 1, 2], [1, 1, 1]]
    with pytest.raises(ValueError, match="as many x as y"):
        hansard.log_curve("lift", [1], [1, 2])
    with pytest.raises(TypeError, match="x_label"):
        hansard.log_curve("lift", [1], [1], x_label=1)  # type: ignore[arg-type]
    assert len(listed(step_dir)) == 1
