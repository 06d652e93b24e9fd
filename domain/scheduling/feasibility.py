"""What could never start is refused at once, with what was asked for and what there is."""

from collections.abc import Iterable

from domain.resources import Resources, never_fits
from domain.scheduling.facts import Situation, Waiting
from domain.scheduling.limits import NO_LIMITS, Limits


class Feasibility:
    """Answers for one situation."""

    def __init__(self, situation: Situation) -> None:
        self._limits_of = situation.limits_of
        self._pools: dict[str, list[Resources]] = {}
        for offer in situation.heard_of.values():
            self._pools.setdefault(offer.pool, []).append(offer.resources)
        self._rooms: dict[tuple[str, Resources], str | None] = {}

    def refusal(self, run: Waiting) -> str | None:
        """Why a run could never start, or None if it could."""
        asked = (run.pool, run.resources)
        if asked not in self._rooms:
            self._rooms[asked] = no_such_room(run.resources, run.pool, self._pools)
        account, user = self._limits_of(run.account), self._limits_of(run.user)
        return (
            self._rooms[asked]
            or beyond_limits(run.resources, account, alone=run.account == run.user)
            or beyond_limits(run.resources, user, alone=True)
        )


def no_such_room(asked: Resources, pool: str, pools: dict[str, list[Resources]]) -> str | None:
    """Why no node of the pool could ever run this; with no node known nothing can be said."""
    if not pools:
        return None
    if pool not in pools:
        return f"there is no pool `{pool}`; there is {', '.join(sorted(pools))}"
    return never_fits(asked, pools[pool])


def beyond_limits(asked: Resources, limits: Limits, *, alone: bool) -> str | None:
    """Why limits forbid this for ever, whatever else runs."""
    if limits is NO_LIMITS:
        return None
    whose = "your" if alone else "your group's"
    for unit, name in (("quota_gpus", "GPU"), ("quota_cpus", "CPU")):
        quota, wanted = getattr(limits, unit), getattr(asked, unit.removeprefix("quota_"))
        if quota is not None and wanted > quota:
            return f"asks for {wanted} {name}; {whose} quota is {quota}"
    longest = limits.max_wall_time_s
    if longest is not None and asked.wall_time_s > longest:
        return f"asks for {asked.wall_time_s} s of wall time; {whose} limit is {longest}"
    if limits.max_running == 0:
        return f"{whose} limit is 0 runs at a time"
    return None


def too_many_queued(
    run: Waiting, queue: Iterable[Waiting], account: Limits, user: Limits
) -> str | None:
    """Why a run may not join the queue beside those that wait already."""
    waiting = list(queue)
    of_account = sum(other.account == run.account for other in waiting)
    of_user = sum(other.user == run.user for other in waiting)
    if account.max_queued is not None and of_account >= account.max_queued:
        return f"{of_account} runs wait already; at most {account.max_queued} may"
    if user.max_queued is not None and of_user >= user.max_queued:
        return f"{of_user} of your runs wait already; at most {user.max_queued} may"
    return None
