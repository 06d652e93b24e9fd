"""Simulated time: accounts that always want more, and a scheduler that decides at every change."""

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from domain.resources import Resources
from domain.scheduling import (
    Admit,
    Ledger,
    Limits,
    Offer,
    Placed,
    Preempt,
    Reject,
    Reserve,
    Situation,
    Waiting,
    decide,
)

HOUR_S = 3600.0
WEEK_S = 7 * 24 * HOUR_S


@dataclass(slots=True)
class Simulation:
    """A cluster with a pool of CPUs and one of GPUs, over time.

    ``limits`` names the accounts; of each, ``backlog`` runs wait for each pool, always. Runs take
    from a tenth to all of the wall time they declare. ``overtaken_s`` is by how much later a run
    was asked for, at most, than one of its account that still waited when it started.
    """

    limits: Mapping[str, Limits]
    seed: int = 0
    backlog: int = 50
    now: float = 0.0
    queue: list[Waiting] = field(default_factory=list)
    placed: dict[str, Placed] = field(default_factory=dict)
    used: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    requeued: Counter[str] = field(default_factory=Counter)
    waits_s: list[float] = field(default_factory=list)
    overtaken_s: float = 0.0
    _ledger: Ledger = field(default_factory=Ledger)
    _served: dict[tuple[str, int], float] = field(default_factory=dict)
    _reserved: dict[str, str] = field(default_factory=dict)
    _ends: list[tuple[float, str]] = field(default_factory=list)
    _random: random.Random = field(default_factory=random.Random)
    _asked: int = 0

    nodes: Mapping[str, Offer] = field(
        default_factory=lambda: {
            **{f"cpu-{n}": Offer(Resources(32)) for n in range(4)},
            **{f"gpu-{n}": Offer(Resources(32, 8), "gpu") for n in range(2)},
        }
    )

    def __post_init__(self) -> None:
        self._random.seed(self.seed)

    def run(self, seconds: float) -> Iterator[Situation]:
        """Let time pass; answers the situation of every round before it is decided."""
        until = self.now + seconds
        while self.now < until:
            self._ask()
            situation = self._situation()
            yield situation
            self._do(situation)
            at, run = heapq.heappop(self._ends)
            self._pass(min(at, until) - self.now)
            if at < until:
                self._end(at, run)
            else:
                heapq.heappush(self._ends, (at, run))

    def share(self, account: str) -> float:
        """The part of the scarcest resource that an account has had."""
        return max(
            self.used[account, unit] / sum(self.used[other, unit] for other in self.limits)
            for unit in ("cpus", "gpus")
        )

    def utilisation(self) -> float:
        """Of CPUs in the one pool and GPUs in the other, the lesser: work waits all the time."""
        cpus = sum(offer.resources.cpus for offer in self.nodes.values() if offer.pool != "gpu")
        gpus = sum(offer.resources.gpus for offer in self.nodes.values())
        used_gpus = sum(self.used[account, "gpus"] for account in self.limits)
        used_cpus = sum(self.used[account, "pool_cpus"] for account in self.limits)
        return min(used_cpus / cpus, used_gpus / gpus) / self.now

    def _situation(self) -> Situation:
        placed = list(self.placed.values())
        usage = self._ledger.at(self.now, placed)
        return Situation(
            list(self.queue),
            placed,
            self.nodes,
            limits=self.limits,
            usage=usage,
            served=dict(self._served),
            reserved=self._reserved,
            now=self.now,
        )

    def _ask(self) -> None:
        waiting = Counter((run.account, run.pool) for run in self.queue)
        for account in self.limits:
            for pool in ("default", "gpu"):
                for _ in range(self.backlog - waiting[account, pool]):
                    self.queue.append(self._request(account, pool))

    def _request(self, account: str, pool: str) -> Waiting:
        self._asked += 1
        wall_time_s = int(self._random.choice((0.25, 1, 2, 6)) * HOUR_S)
        if pool == "gpu":
            gpus = self._random.choice((1, 1, 2, 4))
            resources = Resources(4 * gpus, gpus, wall_time_s=wall_time_s)
        else:
            cpus = self._random.choice((1, 1, 2, 4, 8, 16))
            resources = Resources(cpus, wall_time_s=wall_time_s)
        run = f"run-{self._asked}"
        return Waiting(run, resources, account, account, pool, since=self.now)

    def _do(self, situation: Situation) -> None:
        waiting = {run.run: run for run in self.queue}
        self._reserved = {}
        for decision in decide(situation):
            match decision:
                case Admit(run, node):
                    self._admit(waiting.pop(run), node)
                case Preempt(run):
                    self.placed[run] = replace(self.placed[run], leaving=True)
                    heapq.heappush(self._ends, (self.now, run))
                case Reserve(run, pool):
                    self._reserved[pool] = run
                case Reject(run, reason):
                    raise AssertionError(f"{run}: {reason}")
        self.queue = list(waiting.values())
        self._look_who_passed(situation)

    def _look_who_passed(self, before: Situation) -> None:
        oldest: dict[tuple[str, str], float] = {}
        for run in self.queue:
            if self._reserved.get(run.pool) != run.run:  # what passes it does not delay it
                oldest.setdefault((run.account, run.pool), run.since)
        for run in before.queue:
            if run.run in self.placed:
                passed = run.since - oldest.get((run.account, run.pool), run.since)
                self.overtaken_s = max(self.overtaken_s, passed)

    def _admit(self, run: Waiting, node: str) -> None:
        self.placed[run.run] = Placed(
            run.run, node, run.resources, run.account, run.user, run.pool, run.priority, self.now
        )
        self._served[run.account, run.priority] = self.now
        self.waits_s.append(self.now - run.since)
        taken_s = run.resources.wall_time_s * self._random.uniform(0.1, 1.0)
        heapq.heappush(self._ends, (self.now + taken_s, run.run))

    def _pass(self, seconds: float) -> None:
        for run in self.placed.values():
            gpus, cpus = run.resources.gpus, run.resources.cpus
            self.used[run.account, "cpus"] += cpus * seconds
            self.used[run.account, "gpus"] += gpus * seconds
            self.used[run.account, "pool_cpus"] += 0 if gpus else cpus * seconds
        self.now += seconds

    def _end(self, at: float, name: str) -> None:
        run = self.placed.get(name)
        if run is None or (not run.leaving and at < run.since):
            return
        del self.placed[name]
        self._ledger.use((run.account, run.pool), run.resources, run.since, at)
        if run.leaving:
            self.requeued[name] += 1
            again = Waiting(name, run.resources, run.account, run.user, run.pool, since=at)
            self.queue.append(again)
