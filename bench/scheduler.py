"""Decisions over ten thousand waiting runs, and a simulated week of three accounts."""

import random
from collections.abc import Iterator
from statistics import median
from time import perf_counter

from bench.figure import Figure
from bench.scheduled_time import WEEK_S, Simulation
from domain.resources import Resources
from domain.scheduling import Admit, Limits, Offer, Placed, Situation, Waiting, decide

_QUEUED = 10_000
_ROUNDS = 15
_WEIGHTS = (1, 2, 3)
_NOW = 1e6


def run() -> Iterator[Figure]:
    """The figures of `scheduler`."""
    yield _decide_figure()
    limits = {f"group-{weight}": Limits(weight=weight) for weight in _WEIGHTS}
    week = Simulation(limits)
    rounds = sum(1 for _ in week.run(WEEK_S))
    shares = [week.share(account) for account in limits]
    errors = [
        abs(share / sum(shares) - weight / sum(_WEIGHTS))
        for share, weight in zip(shares, _WEIGHTS, strict=True)
    ]
    told = ", ".join(f"{share / sum(shares):.3f}" for share in shares)
    note = f"{told} for weights 1:2:3; {rounds} rounds, {len(week.waits_s)} runs"
    yield Figure("scheduler.share_error", max(errors), "1", 1, note=note)
    note = "the lesser of CPUs in one pool and GPUs in another, runs of 1/32 to 1/2 node"
    yield Figure("scheduler.utilisation", week.utilisation(), "1", 1, note=note)


def _decide_figure() -> Figure:
    """One round when all nodes but one are full, and one when all are empty."""
    empty = _situation()
    admitted = [decision for decision in decide(empty) if isinstance(decision, Admit)]
    runs = {waiting.run: waiting for waiting in empty.queue}
    placed = [_placed(runs[decision.run], decision.node) for decision in admitted]
    gone = {run.run for run in placed}
    more = [Waiting(f"more-{n}", *_asked(n)) for n in range(len(gone))]
    queue = [*(run for run in empty.queue if run.run not in gone), *more]
    busy = Situation(queue, placed[5:], empty.nodes, limits=empty.limits, now=_NOW)
    taken, filling = _median_ms(busy), _median_ms(empty)
    note = f"20 groups, 100 users, 40 nodes, 5 runs have ended; {filling:.0f} ms to fill them all"
    return Figure("scheduler.decide_10k_ms", taken, "ms", _ROUNDS, note=note)


def _situation() -> Situation:
    chance = random.Random(1)
    queue = [
        Waiting(f"run-{n}", *_asked(n), priority=chance.choice((0, 0, 0, 1)), since=n * 10.0)
        for n in range(_QUEUED)
    ]
    nodes = {f"node-{n}": Offer(Resources(32, 4, 128_000)) for n in range(40)}
    limits = {f"group-{n}": Limits(weight=1 + n % 3, quota_gpus=30) for n in range(20)}
    return Situation(queue, [], nodes, limits=limits, now=_NOW)


def _asked(number: int) -> tuple[Resources, str, str]:
    chance = random.Random(number)
    resources = Resources(
        chance.choice((1, 2, 4, 8)),
        chance.choice((0, 0, 1, 2)),
        wall_time_s=chance.choice((600, 3600, 86400)),
    )
    return resources, f"group-{number % 20}", f"user-{number % 100}"


def _placed(run: Waiting, node: str) -> Placed:
    return Placed(run.run, node, run.resources, run.account, run.user, since=_NOW - 60)


def _median_ms(situation: Situation) -> float:
    taken = []
    for _ in range(_ROUNDS):
        start = perf_counter()
        decide(situation)
        taken.append((perf_counter() - start) * 1e3)
    return median(taken)
