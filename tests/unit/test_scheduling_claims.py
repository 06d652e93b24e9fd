"""Whose room is taken away, what use is worth, and what those who wait are told."""

import pytest

from domain.resources import Resources
from domain.scheduling import (
    Ledger,
    Limits,
    Offer,
    Preempt,
    Situation,
    Used,
    decide,
    explain,
    foresee,
)
from domain.scheduling.facts import GRACE_S
from tests.unit.queues import NODE, NOW, admitted, held, situation, wanted

WHOSE = ("a", "default")


def test_a_guaranteed_share_is_taken_back_from_who_borrows() -> None:
    placed = [held(f"b{n}", account="b", since=NOW - n) for n in range(4)]
    limits = {"a": Limits(share_cpus=2)}
    (preempt,) = decide(situation([wanted("a", account="a")], placed, limits=limits))
    assert isinstance(preempt, Preempt)
    assert (preempt.run, preempt.by) == ("b0", "a")  # it has run for the shortest time


def test_room_that_is_being_given_back_is_not_taken_twice() -> None:
    placed = [held(f"b{n}", account="b", leaving=n == 0) for n in range(4)]
    asked = situation([wanted("a", account="a")], placed, limits={"a": Limits(share_cpus=2)})
    assert decide(asked) == []


def test_room_made_for_one_run_is_not_taken_by_another() -> None:
    placed = [held("b", 4, account="b")]
    queue = [wanted("a", 2, account="a"), wanted("c", 1, account="c", wall_time_s=9)]
    limits = {"a": Limits(share_cpus=2)}
    assert [type(d) for d in decide(situation(queue, placed, limits=limits))] == [Preempt]
    half = [held("b", 2, account="b", leaving=True), held("d", 1, account="d")]
    assert admitted(situation(queue, half, {"n": Resources(3)}, limits=limits)) == []


def test_nobody_borrows_back_what_was_taken_back() -> None:
    placed = [held("a", 2, account="a"), held("c", 2, account="c")]
    asked = situation([wanted("b", 2, account="b")], placed, limits={"a": Limits(share_cpus=2)})
    assert decide(asked) == []


@pytest.mark.parametrize(
    ("limits", "priority", "taken"),
    [
        (Limits(may_preempt=True), 1, True),
        (Limits(may_preempt=True), 0, False),
        (Limits(), 1, False),
    ],
)
def test_priority_preempts_where_it_may(limits: Limits, priority: int, *, taken: bool) -> None:
    queue = [wanted("a", 4, account="a", priority=priority)]
    decisions = decide(situation(queue, [held("b", 4, account="b")], limits={"a": limits}))
    assert bool(decisions) == taken


def test_what_is_not_preemptible_stays() -> None:
    limits = {"a": Limits(share_cpus=4), "b": Limits(preemptible=False)}
    asked = situation([wanted("a", 4, account="a")], [held("b", 4, account="b")], limits=limits)
    assert decide(asked) == []


def test_no_more_are_preempted_than_needed() -> None:
    placed = [held("small", 1, account="b"), held("large", 3, account="b", since=NOW - 9)]
    asked = situation([wanted("a", 3, account="a")], placed, limits={"a": Limits(share_cpus=4)})
    assert [d.run for d in decide(asked)] == ["large"]


def test_use_is_worth_half_after_a_half_life() -> None:
    ledger = Ledger(half_life_s=100.0)
    ledger.use(WHOSE, Resources(2, 1), 0.0, 1.0)
    fresh, old = ledger.at(1.0)[WHOSE], ledger.at(101.0)[WHOSE]
    assert fresh.cpu_s == pytest.approx(2.0, rel=0.01)
    assert old.cpu_s == pytest.approx(fresh.cpu_s / 2)
    assert old.gpu_s == pytest.approx(fresh.gpu_s / 2)


def test_the_order_in_which_use_is_told_does_not_matter() -> None:
    spans = [(0.0, 50.0), (20.0, 30.0), (40.0, 400.0)]
    ledgers = [Ledger(100.0), Ledger(100.0)]
    for ledger, order in zip(ledgers, (spans, spans[::-1]), strict=True):
        for begin, end in order:
            ledger.use(WHOSE, Resources(3), begin, end)
    one, other = (ledger.at(500.0)[WHOSE].cpu_s for ledger in ledgers)
    assert one == pytest.approx(other)


def test_use_that_goes_on_counts_until_now() -> None:
    ledger, whole = Ledger(100.0), Ledger(100.0)
    whole.use(WHOSE, Resources(), 0.0, 60.0)
    goes_on = ledger.at(60.0, [held("x", account="a", since=0.0)])
    assert goes_on[WHOSE].cpu_s == pytest.approx(whole.at(60.0)[WHOSE].cpu_s)


def reasons(asked: Situation) -> dict[str, str]:
    return {wait.run: wait.reason for wait in explain(asked).values()}


def test_a_wait_for_a_quota_says_how_much_is_used_of_it() -> None:
    placed = [held("x", 1, 1, account="g", user="u")]
    queue = [wanted("a", gpus=1, account="g", user="v")]
    asked = situation(queue, placed, limits={"g": Limits(quota_gpus=1)})
    assert reasons(asked) == {"a": "your group uses 1 of its 1 GPUs"}


def test_a_wait_in_the_queue_says_who_comes_first_and_why() -> None:
    queue = [
        wanted("last", 4, account="b"),
        wanted("urgent", 4, account="a", priority=1),
        wanted("first", 4, account="a"),
        wanted("second", 4, account="a"),
    ]
    asked = situation(queue, [held("x", account="c")], usage={("b", "default"): Used(cpu_s=10**9)})
    assert reasons(asked) == {
        "urgent": "it is next, as soon as a node has 4 CPUs free",
        "first": "behind 1 of higher priority",
        "second": "behind 1 of higher priority and 1 of the same account",
        "last": "behind 1 of higher priority and 2 of those who have used less of their share",
    }
    positions = {wait.run: wait.position for wait in explain(asked).values()}
    assert positions == {"urgent": 1, "first": 2, "second": 3, "last": 4}


def test_a_wait_for_a_node_that_is_away_names_it() -> None:
    asked = situation([wanted("a", 64)], known={"n": Offer(NODE), "big": Offer(Resources(64))})
    assert "none is there: big" in reasons(asked)["a"]


def test_starts_are_estimated_by_wall_times_and_quotas() -> None:
    queue = [wanted(f"a{n}", 1, account="a", wall_time_s=100) for n in range(3)]
    asked = situation(queue, [held("x", 4, wall_time_s=1000)], limits={"a": Limits(max_running=1)})
    starts = {run: wait.starts_at for run, wait in explain(asked).items()}
    first = NOW + 1000 + GRACE_S
    assert starts == {f"a{n}": first + n * (100 + GRACE_S) for n in range(3)}


def test_runs_that_would_be_asked_for_are_told_where_they_would_stand() -> None:
    asked = situation([wanted("old", 4, account="a")], [held("x", 2, wall_time_s=1000)])
    first, second = foresee(asked, [wanted("b1", 1, account="b"), wanted("b2", 1, account="b")])
    assert (first.position, first.reason) == (2, "there is room for it now")
    assert (second.position, second.starts_at) == (3, NOW)
    [large] = foresee(asked, [wanted("c", 4, account="c", priority=1)])
    assert (large.position, large.starts_at) == (1, NOW + 1000 + GRACE_S)


def test_a_run_that_would_not_be_let_into_the_queue_is_told_so() -> None:
    asked = situation([wanted("a1", 4, account="a")], limits={"a": Limits(max_queued=2)})
    second, third = foresee(asked, [wanted("a2", account="a"), wanted("a3", account="a")])
    assert second.position == 2
    assert third.position is None
    assert third.reason == "it would fail: 2 runs wait already; at most 2 may"
