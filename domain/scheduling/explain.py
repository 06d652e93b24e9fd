"""Why a run still waits: computed when somebody asks, from the situation that decides."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from domain.scheduling.accounts import Accounts
from domain.scheduling.facts import Situation, Waiting
from domain.scheduling.feasibility import Feasibility
from domain.scheduling.forecast import forecast
from domain.scheduling.order import Order, bundles_of

MOST_FORECAST = 100
"""So many runs of the front of all pools have an estimate of their start."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Where a run stands in its pool, counted from 1, and why; `starts_at` is None if unknown."""

    run: str
    pool: str
    position: int
    reason: str
    starts_at: float | None


def explain(situation: Situation) -> dict[str, Wait]:
    """What every run in the queue waits for."""
    ranked = [list(_ranked(situation, pool)) for pool in sorted({r.pool for r in situation.queue})]
    front = sorted((n, run.run) for pool in ranked for n, (run, _) in enumerate(pool))
    foreseen = {run for _, run in front[:MOST_FORECAST]}
    queue = [run for run in situation.queue if run.run in foreseen]
    starts = forecast(replace(situation, queue=queue))
    reasons = _Reasons(situation)
    return {
        run.run: Wait(run.run, run.pool, position, reasons.of(run, ahead), starts.get(run.run))
        for pool in ranked
        for position, (run, ahead) in enumerate(pool, 1)
    }


@dataclass(frozen=True, slots=True)
class _Ahead:
    """How many come first, and why."""

    priority: int
    own: int
    share: int


def _ranked(situation: Situation, pool: str) -> Iterator[tuple[Waiting, _Ahead]]:
    """The runs of a pool in the order in which they would start if each found room."""
    queue = [run for run in situation.queue if run.pool == pool]
    order = Order(bundles_of(queue), situation, Accounts(situation))
    priorities: Counter[int] = Counter()
    accounts: Counter[tuple[int, str]] = Counter()
    while (lane := order.take()) is not None:
        run = lane.head
        higher = sum(count for priority, count in priorities.items() if priority > run.priority)
        own = accounts[run.priority, run.account]
        yield run, _Ahead(higher, own, priorities.total() - higher - own)
        priorities[run.priority] += 1
        accounts[run.priority, run.account] += 1
        order.serve(run)
        if lane.advance():
            order.give_back(lane)


class _Reasons:
    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._feasible = Feasibility(situation)
        self._accounts = Accounts(situation)

    def of(self, run: Waiting, ahead: _Ahead) -> str:
        """A sentence that goes on after "waiting: "."""
        return (
            self._feasible.refusal(run)
            or self._accounts.over_quota(run)
            or self._away(run)
            or _behind(ahead)
            or self._room(run)
        )

    def _away(self, run: Waiting) -> str | None:
        """What keeps a run for which every node that is large enough is away."""
        fitting = {
            name
            for name, offer in self._situation.heard_of.items()
            if offer.pool == run.pool and run.resources.fits(offer.resources)
        }
        if fitting & self._situation.nodes.keys():
            return None
        if not fitting:
            return "no node has been heard of yet"
        names = ", ".join(sorted(fitting)[:3])
        return f"of the nodes that have room for it none is there: {names}"

    def _room(self, run: Waiting) -> str:
        leaving = any(placed.leaving for placed in self._situation.placed)
        asked = f"{run.resources.cpus} CPUs"
        asked += f" and {run.resources.gpus} GPUs" if run.resources.gpus else ""
        more = "; room is being given back" if leaving else ""
        return f"it is next, as soon as a node has {asked} free{more}"


def _behind(ahead: _Ahead) -> str | None:
    parts = [
        f"{count} {what}"
        for count, what in (
            (ahead.priority, "of higher priority"),
            (ahead.share, "of those who have used less of their share"),
            (ahead.own, "of the same account"),
        )
        if count
    ]
    return f"behind {' and '.join(parts)}" if parts else None
