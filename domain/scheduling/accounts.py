"""What accounts and users hold while decisions are made, against what they may."""

from collections import defaultdict
from dataclasses import dataclass

from domain.resources import Resources
from domain.scheduling.facts import Placed, Situation, Waiting
from domain.scheduling.limits import Limits
from domain.scheduling.usage import HALF_LIFE_S, Whose

LOOK_AHEAD_S = 3600.0
"""Room that is held counts as if it had been used for this long already: otherwise everything that
is free at one moment would go to whoever has used least until then."""


@dataclass(slots=True)
class Held:
    """What an account or a user holds, or a pool has."""

    cpus: int = 0
    gpus: int = 0
    runs: int = 0

    def add(self, resources: Resources, sign: int = 1) -> None:
        """Count a run in, or out with sign -1."""
        self.cpus += sign * resources.cpus
        self.gpus += sign * resources.gpus
        self.runs += sign


class Accounts:
    """Counts what is held as decisions are made; answers who has most claim to more."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._pools: defaultdict[str, Held] = defaultdict(Held)
        for offer in situation.nodes.values():
            self._pools[offer.pool].add(offer.resources)
        self._here: defaultdict[Whose, Held] = defaultdict(Held)
        self._accounts: defaultdict[str, Held] = defaultdict(Held)
        self._users: defaultdict[str, Held] = defaultdict(Held)
        self._leaving: defaultdict[str, Held] = defaultdict(Held)
        for run in situation.placed:
            self.add(run)
            if run.leaving:
                self.leave(run)

    def add(self, run: Waiting | Placed) -> None:
        """Count the room of a run."""
        self._here[run.account, run.pool].add(run.resources)
        self._accounts[run.account].add(run.resources)
        self._users[run.user].add(run.resources)

    def leave(self, run: Placed) -> None:
        """Count a run as one that is to leave; until it has, its room counts against quotas."""
        self._leaving[run.account].add(run.resources)

    def stay(self, run: Placed) -> None:
        """Do not count it as one that is to leave after all."""
        self._leaving[run.account].add(run.resources, -1)

    def share(self, account: str, pool: str) -> float:
        """Its dominant share of a pool by weight: what it used and holds, of all there could be."""
        used, held = self._situation.used_by(account, pool), self._here[account, pool]
        there = self._pools[pool]
        cpus = (used.cpu_s + held.cpus * LOOK_AHEAD_S) / max(there.cpus, 1)
        gpus = (used.gpu_s + held.gpus * LOOK_AHEAD_S) / max(there.gpus, 1)
        return max(cpus, gpus) / self._situation.limits_of(account).weight / HALF_LIFE_S

    def over_quota(self, run: Waiting) -> str | None:
        """Which limit the run has to wait for now, in words; None if there is none."""
        limits_of = self._situation.limits_of
        alone = run.account == run.user
        account, user = self._accounts[run.account], self._users[run.user]
        found = _over(run, account, limits_of(run.account), alone=alone)
        return found or (None if alone else _over(run, user, limits_of(run.user), alone=True))

    def is_entitled(self, run: Waiting) -> bool:
        """Whether its account stays within its guaranteed share with this run."""
        limits, held = self._situation.limits_of(run.account), self._accounts[run.account]
        cpus, gpus = held.cpus + run.resources.cpus, held.gpus + run.resources.gpus
        if run.resources.gpus:  # GPUs are what is scarce: the CPUs beside them come along
            return gpus <= limits.share_gpus
        return cpus <= limits.share_cpus

    def is_borrowing(self, run: Placed) -> bool:
        """Whether its account keeps more of what this run holds than its guaranteed share."""
        limits, held = self._situation.limits_of(run.account), self._accounts[run.account]
        leaving = self._leaving[run.account]
        if run.resources.gpus:
            return held.gpus - leaving.gpus > limits.share_gpus
        return held.cpus - leaving.cpus > limits.share_cpus


def _over(run: Waiting, held: Held, limits: Limits, *, alone: bool) -> str | None:
    who, its, many = ("you", "your", "") if alone else ("your group", "its", "s")
    if limits.max_running is not None and held.runs >= limits.max_running:
        return f"{who} run{many} {held.runs} of at most {limits.max_running} runs"
    for unit, name in (("gpus", "GPUs"), ("cpus", "CPUs")):
        quota, has = getattr(limits, f"quota_{unit}"), getattr(held, unit)
        asked = getattr(run.resources, unit)
        if quota is not None and asked and has + asked > quota:
            more = "" if has >= quota else f", and this run asks for {asked}"
            return f"{who} use{many} {has} of {its} {quota} {name}{more}"
    return None
