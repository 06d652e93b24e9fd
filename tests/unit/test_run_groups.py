"""What a group of runs spreads over."""

import math
import statistics

from projections.run_groups import spread


def test_the_spread_is_that_of_a_sample_and_names_the_runs_at_its_ends() -> None:
    values = {"run-1": 0.5, "run-2": 0.9, "run-3": 0.7}
    assert spread("accuracy", values) == {
        "key": "accuracy",
        "n": 3,
        "mean": statistics.fmean(values.values()),
        "std": statistics.stdev(values.values()),
        "min": 0.5,
        "max": 0.9,
        "min_run": "run-1",
        "max_run": "run-2",
    }


def test_a_single_run_has_no_spread() -> None:
    found = spread("loss", {"run-1": 2})
    assert (found["n"], found["mean"], found["std"]) == (1, 2, None)


def test_what_no_float_holds_is_left_out() -> None:
    found = spread("loss", {"run-1": 1e308, "run-2": 1.1e308})
    assert (found["mean"], found["max_run"]) == (None, "run-2")
    assert found["std"] is None or math.isfinite(found["std"])
