"""Who gets which room: examples of each rule. The laws are in tests/property."""

from typing import Any

import pytest

from domain.errors import Invalid
from domain.resources import Resources, never_fits
from domain.scheduling import (
    Admit,
    Limits,
    Offer,
    Reject,
    Reserve,
    Situation,
    Used,
    decide,
)
from domain.scheduling.decide import RESERVE_AFTER_S
from domain.scheduling.feasibility import too_many_queued
from domain.scheduling.order import AGE_STEP_S
from tests.unit.queues import NODE, NOW, admitted, held, situation, wanted


def test_runs_are_admitted_in_order_of_arrival_while_there_is_room() -> None:
    queue = [wanted(name, 2) for name in ("a", "b", "c")]
    assert decide(situation(queue)) == [Admit("a", "n"), Admit("b", "n")]


def test_what_has_no_room_lets_others_pass_until_it_has_waited_long_enough() -> None:
    fresh = wanted("large", 4)
    waited = wanted("large", 4, since=NOW - RESERVE_AFTER_S)
    small = wanted("small", 1, wall_time_s=7200)
    assert admitted(situation([fresh, small], [held("x")])) == ["small"]
    assert admitted(situation([waited, small], [held("x")])) == []


def test_what_ends_before_the_reservation_by_its_wall_time_passes() -> None:
    waited = wanted("large", 4, since=NOW - RESERVE_AFTER_S)
    short = wanted("short", 1, wall_time_s=600)
    assert admitted(situation([waited, short], [held("x")])) == ["short"]


def test_what_fits_beside_the_reservation_passes_however_long_it_takes() -> None:
    waited = wanted("large", 3, since=NOW - RESERVE_AFTER_S)
    long = [wanted(name, 1, wall_time_s=86400) for name in ("beside", "not")]
    assert admitted(situation([waited, *long], [held("x", 2)])) == ["beside"]


def test_a_run_that_waits_for_a_gpu_does_not_hold_back_those_that_need_none() -> None:
    queue = [wanted("gpu", gpus=1, since=0.0), wanted("cpu")]
    kept = Reserve("gpu", "default")
    assert decide(situation(queue, [held("x", 1, 1)])) == [kept, Admit("cpu", "n")]


def test_room_stays_kept_for_the_same_run_until_it_starts() -> None:
    queue = [
        wanted("kept", 4, account="a", since=NOW - RESERVE_AFTER_S),
        wanted("other", 4, account="b", since=NOW - RESERVE_AFTER_S),
    ]
    usage = {("a", "default"): Used(cpu_s=100.0)}
    busy = [held("x")]
    reserved = {"default": "kept"}
    assert decide(situation(queue, busy, usage=usage)) == [Reserve("other", "default")]
    more: dict[str, Any] = {"usage": usage, "reserved": reserved}
    assert decide(situation(queue, busy, **more)) == [Reserve("kept", "default")]
    assert admitted(situation(queue, **more)) == ["kept"]


def test_room_is_not_kept_from_a_higher_priority() -> None:
    queue = [wanted("kept", 4, since=NOW - RESERVE_AFTER_S), wanted("urgent", 4, priority=1)]
    assert admitted(situation(queue, reserved={"default": "kept"})) == ["urgent"]


def test_what_could_never_run_is_rejected_with_a_sentence_and_holds_nobody_back() -> None:
    rejected, first = decide(situation([wanted("huge", 64), wanted("small")]))
    assert isinstance(rejected, Reject)
    assert rejected.reason == "asks for 64 CPU; the largest of 1 node(s) has 4"
    assert first == Admit("small", "n")


def test_with_no_node_known_everything_waits() -> None:
    assert decide(situation([wanted("a", 64, gpus=8)], nodes={})) == []


def test_what_fits_a_node_that_is_away_waits_for_it() -> None:
    known = {"away": Offer(Resources(64))}
    assert decide(situation([wanted("a", 64)], known=known)) == []


def test_a_pool_that_nobody_has_heard_of_is_named_with_those_there_are() -> None:
    (rejected,) = decide(situation([wanted("a", pool="a100")]))
    assert rejected == Reject("a", "there is no pool `a100`; there is default")


def test_a_run_is_placed_in_its_pool_only() -> None:
    nodes = {"n": Offer(NODE), "big": Offer(Resources(64), "large")}
    queue = [wanted("a", 4), wanted("b", 4), wanted("c", 4, pool="large")]
    assert decide(Situation(queue, [], nodes)) == [Admit("a", "n"), Admit("c", "big")]


def test_without_gpus_a_run_goes_where_fewest_are_then_where_most_cpus_are() -> None:
    nodes = {"b": NODE, "a": NODE, "big": Resources(cpus=8, memory_mb=1000)}
    queue = [wanted(name, 4) for name in "wxyz"]
    there = ["big", "big", "a", "b"]
    expected = [Admit(run, node) for run, node in zip("wxyz", there, strict=True)]
    assert decide(situation(queue, nodes=nodes)) == expected


def test_room_on_a_node_that_has_gone_is_nobodys() -> None:
    placed = [held("x", 4, node="gone")]
    assert decide(situation([wanted("a")], placed)) == [Admit("a", "n")]


def test_a_higher_priority_goes_first() -> None:
    queue = [wanted("a", 4), wanted("b", 4, priority=1)]
    assert admitted(situation(queue)) == ["b"]


def test_a_day_without_anything_is_worth_one_priority() -> None:
    starved = wanted("a", 4, since=NOW - AGE_STEP_S)
    urgent = wanted("b", 4, priority=1, account="other")
    assert admitted(situation([starved, urgent])) == ["a"]
    served = {("", 0): NOW - 1}
    assert admitted(situation([starved, urgent], served=served)) == ["b"]


def test_whoever_used_least_by_weight_goes_first() -> None:
    queue = [wanted("a", 4, account="a"), wanted("b", 4, account="b")]
    usage = {("a", "default"): Used(cpu_s=100.0), ("b", "default"): Used(cpu_s=150.0)}
    assert admitted(situation(queue, usage=usage)) == ["a"]
    assert admitted(situation(queue, usage=usage, limits={"b": Limits(weight=2)})) == ["b"]


def test_what_is_free_at_one_moment_is_shared_by_weight() -> None:
    queue = [wanted(f"{who}{n}", account=who) for who in "ab" for n in range(9)]
    found = admitted(situation(queue, nodes={"n": Resources(9)}, limits={"b": Limits(weight=2)}))
    assert sorted(run[0] for run in found) == list("aaabbbbbb")


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(quota_cpus=3), ["a0", "a1", "b0"]),
        (Limits(max_running=2), ["a0", "b0"]),
        (Limits(quota_gpus=0), ["a0", "a1", "a2", "b0"]),
    ],
)
def test_hard_limits_hold_whatever_is_free(limits: Limits, expected: list[str]) -> None:
    queue = [*(wanted(f"a{n}", account="a") for n in range(3)), wanted("b0", account="b")]
    nodes = {"n": Resources(64)}
    asked = situation(queue, [held("x", account="a")], nodes, limits={"a": limits})
    assert sorted(admitted(asked)) == expected


def test_a_user_is_limited_within_a_group_too() -> None:
    queue = [wanted(user + str(n), account="g", user=user) for user in "uv" for n in range(2)]
    asked = situation(queue, nodes={"n": Resources(64)}, limits={"u": Limits(max_running=1)})
    assert sorted(admitted(asked)) == ["u0", "v0", "v1"]


def test_more_than_a_quota_is_rejected_at_once() -> None:
    limits = {"g": Limits(quota_gpus=0, max_wall_time_s=60)}
    queue = [
        wanted("gpu", gpus=1, wall_time_s=60, account="g", user="u"),
        wanted("long", wall_time_s=61, account="g", user="u"),
    ]
    assert decide(situation(queue, limits=limits)) == [
        Reject("gpu", "asks for 1 GPU; your group's quota is 0"),
        Reject("long", "asks for 61 s of wall time; your group's limit is 60"),
    ]


def test_at_most_so_many_may_wait() -> None:
    queue = [wanted(f"{n}", account="g", user=f"u{n % 2}") for n in range(4)]
    run = wanted("new", account="g", user="u0")
    few = "4 runs wait already; at most 4 may"
    assert too_many_queued(run, queue, Limits(max_queued=4), Limits()) == few
    assert too_many_queued(run, queue, Limits(), Limits(max_queued=2)) is not None
    assert too_many_queued(run, queue, Limits(max_queued=5), Limits(max_queued=3)) is None


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
        *({"wall_time_s": 31 * 24 * 3600}, {"workers": 0}, {"workers": 3, "cpus": 2}),
        {"workers": 65, "cpus": 128},
    ],
)
def test_amounts_that_cannot_be_meant_are_refused(asked: dict[str, int]) -> None:
    with pytest.raises(Invalid) as refused:
        Resources.requested(asked)
    assert refused.value.context["field"] == f"resources.{next(iter(asked))}"
