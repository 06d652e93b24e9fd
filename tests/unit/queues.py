"""Situations in a few words."""

from typing import Any

from domain.resources import Resources
from domain.scheduling import Admit, Offer, Placed, Situation, Waiting, decide

NODE = Resources(cpus=4, gpus=1, memory_mb=1000)
NOW = 1_000_000.0


def situation(
    queue: list[Waiting],
    placed: list[Placed] | None = None,
    nodes: dict[str, Resources] | None = None,
    **more: Any,
) -> Situation:
    offers = {"n": NODE} if nodes is None else nodes
    there = {name: Offer(resources) for name, resources in offers.items()}
    return Situation(queue, placed or [], there, now=NOW, **more)


def wanted(run: str, cpus: int = 1, *, since: float = NOW, **more: Any) -> Waiting:
    account = more.pop("account", "")
    resources = {n: more.pop(n) for n in ("gpus", "memory_mb", "wall_time_s") if n in more}
    user = more.pop("user", account)
    return Waiting(run, Resources(cpus, **resources), account, user, since=since, **more)


def held(run: str, cpus: int = 1, gpus: int = 0, **more: Any) -> Placed:
    wall_time_s = more.pop("wall_time_s", 3600)
    resources = Resources(cpus, gpus, wall_time_s=wall_time_s)
    more = {"since": NOW, "user": more.get("account", ""), **more}
    return Placed(run, more.pop("node", "n"), resources, **more)


def admitted(asked: Situation) -> list[str]:
    return [decision.run for decision in decide(asked) if isinstance(decision, Admit)]
