"""What runs would wait for if they were asked for now."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.scheduling.explain import explain
from domain.scheduling.facts import Situation, Waiting
from domain.scheduling.feasibility import too_many_queued


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where a run would stand in its pool; `position` is None if it would not be let in at all."""

    pool: str
    position: int | None
    reason: str
    starts_at: float | None


def foresee(situation: Situation, asked: Sequence[Waiting]) -> list[Outlook]:
    """The outlook of runs that would be asked for together, in their order.

    It is what `explain` would say of them once they wait, but what would start at once says so.
    """
    queue = list(situation.queue)
    refused: dict[str, str] = {}
    for run in asked:
        limits_of = situation.limits_of
        reason = too_many_queued(run, queue, limits_of(run.account), limits_of(run.user))
        if reason is None:
            queue.append(run)
        else:
            refused[run.run] = reason
    waits = explain(replace(situation, queue=queue))
    found: list[Outlook] = []
    for run in asked:
        if run.run in refused:
            found.append(Outlook(run.pool, None, f"it would fail: {refused[run.run]}", None))
            continue
        wait = waits[run.run]
        at_once = wait.starts_at is not None and wait.starts_at <= situation.now
        reason = "there is room for it now" if at_once else wait.reason
        found.append(Outlook(wait.pool, wait.position, reason, wait.starts_at))
    return found
