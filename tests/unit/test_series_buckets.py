"""Series cut into buckets: every point counts, at any distance and any size of step."""

import numpy as np
import pytest

from infra.metric_columns import Series
from projections import blocks
from projections.series import Buckets, in_buckets


def _buckets(steps: list[int], max_points: int) -> Buckets:
    values = np.arange(len(steps), dtype=np.float64)
    times = np.arange(len(steps), dtype=np.int64)
    return in_buckets(Series("loss", np.array(steps, np.int64), values, times), max_points)


def test_buckets_have_equal_width_in_steps_and_empty_ones_are_left_out() -> None:
    buckets = _buckets([0, 1, 2, 3, 50, 98, 99], 4)
    assert buckets.first_step.tolist() == [0, 50, 98]
    assert buckets.last_step.tolist() == [3, 50, 99]
    assert buckets.low.tolist() == [0.0, 4.0, 5.0]
    assert buckets.high.tolist() == [3.0, 4.0, 6.0]


@pytest.mark.parametrize(
    "steps",
    [
        list(range(-7, 1000)),
        list(range(2**62, 2**62 + 999)),
        [-(2**63), *range(1000), 2**63 - 1],
        [2**63 - 1000 + n for n in range(1000)],
    ],
)
def test_no_point_is_lost_however_large_the_steps_are(steps: list[int]) -> None:
    buckets = _buckets(steps, 100)
    assert buckets.points == len(steps)
    assert len(buckets.low) <= 100
    assert buckets.first_step[0] == steps[0]
    assert buckets.last_step[-1] == steps[-1]
    assert (buckets.low[0], buckets.high[-1]) == (0.0, len(steps) - 1)
    assert (buckets.low[1:] == buckets.high[:-1] + 1).all()  # values count up: none between


def test_a_short_series_keeps_every_point() -> None:
    assert _buckets([5, 5, 9], 3).first_step.tolist() == [5, 5, 9]


def test_steps_logged_out_of_order_are_put_in_order_first() -> None:
    assert _buckets([3, 1, 2], 10).last.tolist() == [1.0, 2.0, 0.0]


def test_steps_out_of_order_have_no_summary() -> None:
    steps = np.array([*range(200), 5], np.int64)
    series = Series("k", steps, steps.astype(float), steps)
    assert blocks.summary(series) is None
