"""One round of decisions: a pure function of the situation, the same however it is written down.

Whoever's turn it is gets room, until nothing is left. What does not fit lets others pass, but once
it has waited for `RESERVE_AFTER_S` the node that has room for it soonest is kept for it: from then
on only what ends before, by its declared wall time, or fits beside it, may use that room. What was
asked for `PASSES_FOR_S` later does not pass a run of its own lane at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

from domain.scheduling.accounts import Accounts
from domain.scheduling.decisions import Admit, Decision, Preempt, Reject, Reserve
from domain.scheduling.facts import GRACE_S, Situation, Waiting
from domain.scheduling.feasibility import Feasibility
from domain.scheduling.order import Bundle, Lane, Order, bundles_of
from domain.scheduling.preemption import Preemption
from domain.scheduling.room import Rooms

RESERVE_AFTER_S = 1800.0
PASSES_FOR_S = 12 * 3600.0


def decide(situation: Situation) -> list[Decision]:
    """What changes now; whoever is not named goes on waiting, or running."""
    feasible = Feasibility(situation)
    rejected: list[tuple[int, Reject]] = []
    pools: dict[str, list[Bundle]] = {}
    for bundle in bundles_of(situation.queue):
        _, first = bundle[0]
        reason = feasible.refusal(first)
        if reason is not None:
            rejected += [(place, Reject(run.run, reason)) for place, run in bundle]
        else:
            pools.setdefault(first.pool, []).append(bundle)
    decisions: list[Decision] = [reject for _, reject in sorted(rejected, key=itemgetter(0))]
    accounts = Accounts(situation)
    for pool, bundles in sorted(pools.items()):
        decisions += Round(situation, accounts, pool, bundles).decisions()
    return decisions


class Round:
    """The decisions of one pool; what accounts hold is counted over all pools."""

    def __init__(
        self, situation: Situation, accounts: Accounts, pool: str, bundles: Sequence[Bundle]
    ) -> None:
        offers = {name: offer for name, offer in situation.nodes.items() if offer.pool == pool}
        placed = [run for run in situation.placed if run.node in offers]
        self._now = situation.now
        self._pool = pool
        self._accounts = accounts
        self._order = Order(bundles, situation, accounts)
        self._rooms = Rooms(offers, placed, situation.now)
        self._preemption = Preemption(situation, accounts, self._rooms, placed)
        self._reserved = self._kept_already(situation.reserved.get(pool), bundles)

    def decisions(self) -> Iterator[Decision]:
        """Go through the lanes; when nothing is free any more only their first runs matter."""
        if self._reserved is not None:
            yield from self._serve(self._reserved)
        while (lane := self._order.take()) is not None:
            yield from self._serve_lane(lane)

    def _serve_lane(self, lane: Lane) -> Iterator[Decision]:
        run = lane.head
        if run is self._reserved:  # it came first
            goes_on = lane.advance()
        elif self._accounts.over_quota(run) is not None:
            return  # the rest of the lane waits behind it
        else:
            decisions = list(self._serve(run))
            yield from decisions
            placed = any(isinstance(decision, Admit) for decision in decisions)
            goes_on = lane.advance() if placed else lane.pass_over(self._rooms.is_too_large)
            goes_on = goes_on and lane.overtaken_s <= PASSES_FOR_S
        if goes_on and not self._rooms.is_full:
            self._order.give_back(lane)

    def _serve(self, run: Waiting) -> Iterator[Decision]:
        node = self._rooms.place(run)
        if node is not None:
            self._order.serve(run)
            yield Admit(run.run, node)
            return
        plan = self._preemption.plan(run) if self._preemption.may_ask(run) else None
        if plan is not None:
            self._rooms.keep(plan.node, run, self._now + GRACE_S, plan.free)
            self._accounts.add(run)
            for victim in plan.leave:
                yield Preempt(victim.run, run.run, f"its room is given to {run.run}")
        elif self._is_kept_for(run) and self._rooms.keep_earliest(run):
            self._reserved = run
            yield Reserve(run.run, self._pool)

    def _is_kept_for(self, run: Waiting) -> bool:
        """Room is kept for one run of a pool at a time."""
        if self._reserved is not None:
            return self._reserved is run
        return self._now - run.since >= RESERVE_AFTER_S

    def _kept_already(self, name: str | None, bundles: Iterable[Bundle]) -> Waiting | None:
        """The run that room is kept for, unless one has more right to what is free by now.

        Room that was taken away for somebody is for them; and a higher priority goes first.
        """
        if name is None:
            return None
        most = max(bundle[0][1].priority for bundle in bundles)
        runs = (run for bundle in bundles for _, run in bundle if bundle[0][1].priority == most)
        found = next((run for run in runs if run.run == name), None)
        if found is None or self._accounts.over_quota(found) is not None:
            return None
        asks = self._preemption.may_ask
        return found if asks(found) or not any(map(asks, self._order.heads())) else None
