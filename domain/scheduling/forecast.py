"""When waiting runs will start if all runs take their whole wall time and nothing is added."""

from dataclasses import replace

from domain.scheduling.decide import decide
from domain.scheduling.decisions import Admit, Preempt, Reject, Reserve
from domain.scheduling.facts import Placed, Situation, Waiting

MOST_STEPS = 100


def forecast(situation: Situation) -> dict[str, float]:
    """By run the time of its start, as far as `MOST_STEPS` changes of the situation show it.

    Every step is a round of real decisions, so that quotas, shares and reservations count.
    """
    starts: dict[str, float] = {}
    for _ in range(MOST_STEPS):
        if not situation.queue:
            break
        situation = _decided(situation, starts)
        ends = [run.ends_at for run in situation.placed if run.node in situation.nodes]
        if not ends:
            break
        now = max(min(ends), situation.now)
        placed = [run for run in situation.placed if run.ends_at > now]
        situation = replace(situation, placed=placed, now=now)
    return starts


def _decided(situation: Situation, starts: dict[str, float]) -> Situation:
    """The situation when what is decided has happened."""
    queue = {run.run: run for run in situation.queue}
    placed = {run.run: run for run in situation.placed}
    reserved = {}
    for decision in decide(situation):
        match decision:
            case Admit(run, node):
                placed[run] = _placed(queue.pop(run), node, situation.now)
                starts.setdefault(run, situation.now)
            case Preempt(run):
                placed[run] = replace(placed[run], leaving=True)
            case Reject(run):
                del queue[run]
            case Reserve(run, pool):
                reserved[pool] = run
    waiting, there = list(queue.values()), list(placed.values())
    return replace(situation, queue=waiting, placed=there, reserved=reserved)


def _placed(run: Waiting, node: str, now: float) -> Placed:
    return Placed(run.run, node, run.resources, run.account, run.user, run.pool, run.priority, now)
