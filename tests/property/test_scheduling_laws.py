"""Laws of scheduling over any queue, any placement and any nodes, and over simulated time."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from bench.scheduled_time import HOUR_S, Simulation
from domain.resources import Resources, never_fits
from domain.scheduling import (
    Admit,
    Limits,
    Offer,
    Placed,
    Preempt,
    Reject,
    Reserve,
    Situation,
    Waiting,
    decide,
    explain,
    foresee,
)
from domain.scheduling.decide import PASSES_FOR_S, RESERVE_AFTER_S
from domain.scheduling.facts import GRACE_S
from tests.property.situations import NOW, after, is_sound, situations, total

LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@LAW
@given(situations())
def test_nodes_and_quotas_hold_whatever_is_decided(situation: Situation) -> None:
    assert is_sound(after(situation))


@LAW
@given(situations())
def test_a_run_is_placed_in_its_pool(situation: Situation) -> None:
    pools = {run.run: run.pool for run in situation.queue}
    for decision in decide(situation):
        if isinstance(decision, Admit):
            assert situation.nodes[decision.node].pool == pools[decision.run]


@LAW
@given(situations())
def test_the_same_situation_has_the_same_decisions(situation: Situation) -> None:
    turned = replace(
        situation,
        nodes=dict(reversed([*situation.nodes.items()])),
        placed=situation.placed[::-1],
        limits=dict(reversed([*situation.limits.items()])),
    )
    assert decide(situation) == decide(situation)
    assert decide(situation) == decide(turned)


@LAW
@given(situations())
def test_whoever_waits_has_no_room_or_no_right_to_it(situation: Situation) -> None:
    """Work-conserving: nothing is left free that anybody in front of a lane could use."""
    fresh = [replace(run, since=float(NOW), priority=0) for run in situation.queue]
    plain = {whose: Limits(limits.weight) for whose, limits in situation.limits.items()}
    staying = [replace(run, leaving=False) for run in situation.placed]
    situation = replace(situation, queue=fresh, limits=plain, placed=staying, reserved={})
    then = after(situation)
    for run in then.queue:
        for name, offer in situation.nodes.items():
            free = offer.resources
            for placed in then.placed:
                free = free.minus(placed.resources) if placed.node == name else free
            assert offer.pool != run.pool or not run.resources.fits(free)


@LAW
@given(situations())
def test_only_what_could_never_start_is_rejected(situation: Situation) -> None:
    situation = replace(situation, limits={})
    rejected = {d.run for d in decide(situation) if isinstance(d, Reject)}
    never = {
        run.run
        for run in situation.queue
        if situation.nodes and not any(fits(run, offer) for offer in situation.nodes.values())
    }
    assert rejected == never


def fits(run: Waiting, offer: Offer) -> bool:
    return run.pool == offer.pool and never_fits(run.resources, [offer.resources]) is None


@LAW
@given(situations())
def test_the_run_that_room_is_kept_for_starts_no_later_for_what_passes_by(
    situation: Situation,
) -> None:
    """Backfill never delays the reservation, by the wall times that were declared."""
    queue = [replace(run, since=NOW - RESERVE_AFTER_S) for run in situation.queue]
    for name, offer in situation.nodes.items():  # one for each that asks for the whole node
        queue.insert(0, Waiting(name, offer.resources, pool=offer.pool, priority=3, since=0.0))
    situation = replace(situation, queue=queue)
    decisions = decide(situation)
    kept = [n for n, decision in enumerate(decisions) if isinstance(decision, Reserve)]
    waiting = {run.run: run for run in queue}
    for n in kept:
        run = waiting[decisions[n].run]
        before, then = (after(situation, decisions[:k]) for k in (n, len(decisions)))
        assert soonest(run, then) <= soonest(run, before)


def soonest(run: Waiting, situation: Situation) -> float:
    """When a node has room for the run, if everybody takes the wall time they declared."""
    ends = sorted({situation.now, *(max(p.ends_at, situation.now) for p in situation.placed)})
    return next(
        at
        for at in ends
        for name, offer in situation.nodes.items()
        if offer.pool == run.pool and has_room(run, name, offer, situation, at)
    )


def has_room(run: Waiting, name: str, offer: Offer, situation: Situation, at: float) -> bool:
    there = [p for p in situation.placed if p.node == name and max(p.ends_at, situation.now) > at]
    return run.resources.plus(total([p.resources for p in there])).fits(offer.resources)


@LAW
@given(situations())
def test_preemption_takes_only_what_may_be_taken(situation: Situation) -> None:
    waiting = {run.run: run for run in situation.queue}
    placed = {run.run: run for run in situation.placed}
    found = [d for d in decide(situation) if isinstance(d, Preempt)]
    assert len({d.run for d in found}) == len(found)
    for decision in found:
        victim, by = placed[decision.run], waiting[decision.by]
        assert victim.priority <= by.priority
        for whose in (victim.account, victim.user):
            assert situation.limits_of(whose).preemptible


@LAW
@given(situations())
def test_everybody_who_waits_is_told_where_they_stand_and_why(situation: Situation) -> None:
    told = explain(situation)
    assert told.keys() == {run.run for run in situation.queue}
    for pool in {run.pool for run in situation.queue}:
        positions = sorted(wait.position for wait in told.values() if wait.pool == pool)
        assert positions == list(range(1, len(positions) + 1))
    assert all(wait.reason for wait in told.values())


@LAW
@given(situations())
def test_what_is_foreseen_is_what_would_be_told(situation: Situation) -> None:
    if not situation.queue:
        return
    *before, last = situation.queue
    [outlook] = foresee(replace(situation, queue=before), [last])
    told = explain(situation)[last.run]
    if outlook.position is not None:
        assert (outlook.position, outlook.starts_at) == (told.position, told.starts_at)
        at_once = told.starts_at is not None and told.starts_at <= situation.now
        assert at_once or outlook.reason == told.reason


def test_over_time_shares_follow_weights_and_overtaking_is_bounded() -> None:
    limits = {f"group-{weight}": Limits(weight=weight) for weight in (1, 2, 3)}
    simulation = Simulation(limits, seed=2, backlog=8)
    for situation in simulation.run(36 * HOUR_S):
        assert is_sound(situation)
    for weight in (1, 2, 3):
        assert simulation.share(f"group-{weight}") == pytest.approx(weight / 6, abs=0.05)
    assert HOUR_S < simulation.overtaken_s <= PASSES_FOR_S


def test_a_large_run_starts_though_small_ones_never_end() -> None:
    """What keeps its node for it is the wall time that the small ones declare."""
    small = Resources(1, wall_time_s=3600)
    large = Waiting("large", Resources(4), "a", "a", since=0.0)
    placed = [Placed(f"first-{n}", "n", small, "b", "b", since=n * 900.0 - 3600) for n in range(4)]
    now, nodes = 0.0, {"n": Offer(Resources(4))}
    reserved: dict[str, str] = {}
    for n in range(100):
        queue = [large, *(Waiting(f"{n}-{k}", small, "b", "b", since=now) for k in range(4))]
        situation = Situation(queue, placed, nodes, reserved=reserved, now=now)
        placed = list(after(situation).placed)
        reserved = dict(after(situation).reserved)
        if any(run.run == "large" for run in placed):
            break
        now = min(run.ends_at for run in placed)
        placed = [run for run in placed if run.ends_at > now]
    assert now <= RESERVE_AFTER_S + 2 * (3600 + GRACE_S)


def test_preempted_work_is_queued_once_and_ends() -> None:
    limits = {"owner": Limits(share_cpus=64, share_gpus=8), "guest": Limits()}
    simulation = Simulation(limits, 3, backlog=3)
    runs: Counter[str] = Counter()
    for situation in simulation.run(6 * HOUR_S):
        names = [run.run for run in situation.queue] + [run.run for run in situation.placed]
        assert len(set(names)) == len(names)
        runs.update(run.run for run in situation.placed if run.leaving)
    assert simulation.requeued
    assert max(simulation.requeued.values()) <= max(runs.values(), default=0) + 1


def test_a_flood_of_higher_priority_does_not_starve_the_rest() -> None:
    """A lane that gets nothing for a day per priority ranks as high; then it is its turn."""
    now, nodes = 0.0, {"n": Offer(Resources(1))}
    low = Waiting("low", Resources(wall_time_s=60), "a", "a", since=0.0)
    served: dict[tuple[str, int], float] = {}
    for n in range(24 * 3):
        high = Waiting(f"high-{n}", Resources(wall_time_s=60), "b", "b", priority=2, since=now)
        decided = decide(Situation([low, high], [], nodes, served=served, now=now))
        if Admit("low", "n") in decided:
            break
        served["b", 2] = now
        now += HOUR_S
    assert now == pytest.approx(48 * HOUR_S, abs=HOUR_S + GRACE_S)
