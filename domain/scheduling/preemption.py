"""Whose room is taken away for whom: borrowers first, and never for less priority than their own.

Two may have room made for them: a run within the guaranteed share of its account, at the cost of
accounts that borrow; and a run whose account or user may preempt, at the cost of less priority.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.resources import Resources
from domain.scheduling.accounts import Accounts
from domain.scheduling.facts import Placed, Situation, Waiting
from domain.scheduling.room import Rooms


@dataclass(frozen=True, slots=True)
class Plan:
    """Those who leave a node, and what is free when they and those who leave anyway are gone."""

    node: str
    leave: Sequence[Placed]
    free: Resources


class Preemption:
    """Plans for the runs of a pool; each plan counts the room of those who leave as given back."""

    def __init__(
        self, situation: Situation, accounts: Accounts, rooms: Rooms, placed: Iterable[Placed]
    ) -> None:
        self._situation = situation
        self._accounts = accounts
        self._rooms = rooms
        self._placed: dict[str, list[Placed]] = {}
        self._leaving: dict[str, list[Placed]] = {}
        for run in placed:
            there = self._leaving if run.leaving else self._placed
            there.setdefault(run.node, []).append(run)

    def may_ask(self, run: Waiting) -> bool:
        """Whether room is made for this run at all."""
        return self._may_preempt(run) or self._accounts.is_entitled(run)

    def plan(self, run: Waiting) -> Plan | None:
        """The node where fewest leave, then where least work is lost; None if no node would do."""
        plans = [plan for node in self._rooms.unkept() if (plan := self._on(node, run)) is not None]
        best = min(plans, key=self._cost, default=None)
        if best is not None:
            for left in best.leave:
                self._placed[left.node].remove(left)
                self._leaving.setdefault(left.node, []).append(left)
                self._accounts.leave(left)
        return best

    def _may_preempt(self, run: Waiting) -> bool:
        limits_of = self._situation.limits_of
        return limits_of(run.account).may_preempt or limits_of(run.user).may_preempt

    def _on(self, node: str, run: Waiting) -> Plan | None:
        free = self._rooms.free(node)
        for gone in self._leaving.get(node, []):
            free = free.plus(gone.resources)
        chosen, free = self._enough(self._victims(node, run), run, free)
        if not run.resources.fits(free):
            return None
        needed = list(chosen)
        for victim in chosen:
            without = free.minus(victim.resources)
            if run.resources.fits(without):
                needed.remove(victim)
                free = without
        return Plan(node, needed, free)

    def _enough(
        self, victims: Iterable[Placed], run: Waiting, free: Resources
    ) -> tuple[list[Placed], Resources]:
        """The first of them until the run fits, and what is free then; accounts stay as they are.

        Whoever borrows no more, for what others of the account leave, is not taken.
        """
        chosen: list[Placed] = []
        for victim in victims:
            if run.resources.fits(free):
                break
            if self._gives_way(victim, run):
                chosen.append(victim)
                free = free.plus(victim.resources)
                self._accounts.leave(victim)
        for victim in chosen:
            self._accounts.stay(victim)
        return chosen, free

    def _victims(self, node: str, run: Waiting) -> list[Placed]:
        """In the order in which they go: those who borrow, of low priority, for the least time."""
        there = [v for v in self._placed.get(node, []) if self._gives_way(v, run)]
        borrows = self._accounts.is_borrowing
        return sorted(there, key=lambda v: (not borrows(v), v.priority, -v.since, v.run))

    def _gives_way(self, victim: Placed, run: Waiting) -> bool:
        limits_of = self._situation.limits_of
        if not (limits_of(victim.account).preemptible and limits_of(victim.user).preemptible):
            return False
        if self._may_preempt(run) and victim.priority < run.priority:
            return True
        return (
            victim.account != run.account
            and victim.priority <= run.priority
            and self._accounts.is_entitled(run)
            and self._accounts.is_borrowing(victim)
        )

    def _cost(self, plan: Plan) -> tuple[int, float, str]:
        now = self._situation.now
        lost = sum((now - run.since) * (run.resources.cpus or 1) for run in plan.leave)
        return len(plan.leave), lost, plan.node
