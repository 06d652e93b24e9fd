"""A summary of a long series answers for its points: smallest, largest and last value agree."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from infra.metric_columns import Series
from projections import blocks
from projections.series import _cut


@given(
    st.lists(st.floats(width=32), min_size=2 * blocks.POINTS, max_size=1000),
    st.integers(1, 50),
)
def test_a_summary_says_of_its_buckets_what_the_points_say(
    values: list[float], max_points: int
) -> None:
    series = Series("k", np.arange(len(values)), np.array(values), np.arange(len(values)) * 10)
    stored = blocks.summary(series)
    assert stored is not None
    short = _cut("k", len(values), blocks.read_summaries([stored]), max_points)
    assert short.first_step[0] == 0
    assert list(short.first_step[1:]) == [step + 1 for step in short.last_step[:-1]]
    assert short.last_step[-1] == len(values) - 1
    assert len(short.low) <= max_points
    for n, (first, last) in enumerate(zip(short.first_step, short.last_step, strict=True)):
        within = series.values[first : last + 1]
        assert np.array_equal(short.low[n], np.fmin.reduce(within), equal_nan=True)
        assert np.array_equal(short.high[n], np.fmax.reduce(within), equal_nan=True)
        assert np.array_equal(short.last[n], within[-1], equal_nan=True)
        assert short.time[n] == last * 10
