"""Who gets which room: examples of each rule. The laws are in tests/property."""

import pytest

from domain.errors import Invalid
from domain.resources import Resources, never_fits
from domain.scheduling import Admit, Placed, Reject, Waiting, decide

NODE = Resources(cpus=4, gpus=1, memory_mb=1000)


def test_runs_are_admitted_in_order_of_arrival_while_there_is_room() -> None:
    queue = [Waiting(name, Resources(cpus=2)) for name in ("a", "b", "c")]
    assert decide(queue, [], {"n": NODE}) == [Admit("a", "n"), Admit("b", "n")]


def test_a_small_run_does_not_overtake_a_large_one_of_its_lane() -> None:
    queue = [Waiting("large", Resources(cpus=4)), Waiting("small", Resources(cpus=1))]
    placed = [Placed("x", "n", Resources(cpus=1))]
    assert decide(queue, placed, {"n": NODE}) == []


def test_a_run_that_waits_for_a_gpu_does_not_hold_back_those_that_need_none() -> None:
    queue = [Waiting("gpu", Resources(gpus=1)), Waiting("cpu", Resources())]
    placed = [Placed("x", "n", Resources(cpus=1, gpus=1))]
    assert decide(queue, placed, {"n": NODE}) == [Admit("cpu", "n")]


def test_what_could_never_run_is_rejected_with_a_sentence_and_holds_nobody_back() -> None:
    queue = [Waiting("huge", Resources(cpus=64)), Waiting("small", Resources())]
    rejected, admitted = decide(queue, [], {"n": NODE})
    assert isinstance(rejected, Reject)
    assert "64 CPU" in rejected.reason
    assert admitted == Admit("small", "n")


def test_with_no_node_known_everything_waits() -> None:
    assert decide([Waiting("a", Resources(cpus=64, gpus=8))], [], {}) == []


def test_the_node_with_most_free_cpus_is_taken_then_the_first_by_name() -> None:
    nodes = {"b": NODE, "a": NODE, "big": Resources(cpus=8, memory_mb=1000)}
    queue = [Waiting(name, Resources(cpus=4)) for name in "xyz"]
    assert decide(queue, [], nodes) == [Admit("x", "big"), Admit("y", "a"), Admit("z", "b")]


def test_room_on_a_node_that_has_gone_is_nobodys() -> None:
    placed = [Placed("x", "gone", Resources(cpus=4))]
    assert decide([Waiting("a", Resources())], placed, {"n": NODE}) == [Admit("a", "n")]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Resources(gpus=2), "2 GPU"),
        (Resources(cpus=5), "5 CPU"),
        (Resources(memory_mb=2000), "2000 MB"),
    ],
)
def test_the_reason_names_what_is_missing(asked: Resources, words: str) -> None:
    assert words in str(never_fits(asked, [NODE]))


def test_what_no_single_node_has_together_never_fits() -> None:
    nodes = [Resources(cpus=8), Resources(cpus=1, gpus=1)]
    assert "together" in str(never_fits(Resources(cpus=8, gpus=1), nodes))


@pytest.mark.parametrize(
    "asked",
    [
        *({"cpus": 0}, {"gpus": -1}, {"memory_mb": -1}, {"wall_time_s": 0}, {"cpus": 2**70}),
        {"wall_time_s": 31 * 24 * 3600},
    ],
)
def test_amounts_that_cannot_be_meant_are_refused(asked: dict[str, int]) -> None:
    with pytest.raises(Invalid) as refused:
        Resources.requested(asked)
    assert refused.value.context["field"] == f"resources.{next(iter(asked))}"
