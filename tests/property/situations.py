"""Any situation that could be asked about, and what it is when the decisions have been done."""

from dataclasses import replace

from hypothesis import strategies as st

from domain.resources import Resources
from domain.scheduling import (
    Admit,
    Decision,
    Limits,
    Offer,
    Placed,
    Preempt,
    Reject,
    Reserve,
    Situation,
    Used,
    Waiting,
    decide,
)

NOW = 10**6
AMOUNTS = st.builds(
    Resources,
    cpus=st.integers(1, 6),
    gpus=st.integers(0, 2),
    memory_mb=st.integers(0, 3),
    wall_time_s=st.sampled_from([60, 3600, 86400]),
)
ACCOUNTS = st.sampled_from(["a", "b"])
USERS = st.sampled_from(["u", "v"])
POOLS = st.sampled_from(["default", "default", "other"])
SINCE = st.sampled_from([NOW - 10**5, NOW - 2000, NOW - 1.0])
NODES = st.dictionaries(st.sampled_from("abc"), st.builds(Offer, AMOUNTS, POOLS), max_size=3)
OPTIONAL = st.none() | st.integers(0, 8)
LIMITS = st.builds(
    Limits,
    weight=st.integers(1, 3),
    quota_cpus=OPTIONAL,
    quota_gpus=OPTIONAL,
    share_cpus=st.integers(0, 6),
    share_gpus=st.integers(0, 2),
    max_running=OPTIONAL,
    may_preempt=st.booleans(),
    preemptible=st.booleans(),
)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Any situation in which nobody has more than they may, nor a node more than it has."""
    nodes = draw(NODES)
    waiting = st.builds(
        Waiting, st.just(""), AMOUNTS, ACCOUNTS, USERS, POOLS, st.integers(0, 2), SINCE
    )
    asked = draw(st.lists(waiting, max_size=8))
    queue = [replace(run, run=f"run-{n}") for n, run in enumerate(asked)]
    built = st.builds(
        Placed,
        st.just(""),
        st.sampled_from(["a", "b", "c", "gone"]),
        AMOUNTS,
        ACCOUNTS,
        USERS,
        priority=st.integers(0, 2),
        since=SINCE,
        leaving=st.booleans(),
    )
    limits = draw(st.dictionaries(st.sampled_from(["a", "b", "u", "v"]), LIMITS))
    placed: list[Placed] = []
    for n, run in enumerate(draw(st.lists(built, max_size=5))):
        pool = nodes[run.node].pool if run.node in nodes else "default"
        more = [*placed, replace(run, run=f"placed-{n}", pool=pool)]
        placed = more if is_sound(Situation([], more, nodes, limits=limits)) else placed
    usage = st.dictionaries(
        st.tuples(ACCOUNTS, POOLS), st.builds(Used, st.floats(0, 1e6), st.floats(0, 1e6))
    )
    keeps: bool = draw(st.booleans())
    reserved = {"default": queue[0].run} if queue and keeps else {}
    return Situation(
        queue, placed, nodes, limits=limits, usage=draw(usage), reserved=reserved, now=float(NOW)
    )


def is_sound(situation: Situation) -> bool:
    """Whether nodes and quotas hold."""
    for name, offer in situation.nodes.items():
        here = [run.resources for run in situation.placed if run.node == name]
        if not total(here).fits(offer.resources):
            return False
    for whose, limits in situation.limits.items():
        held = [run.resources for run in situation.placed if whose in (run.account, run.user)]
        used = total(held)
        for most, has in (
            (limits.quota_cpus, used.cpus),
            (limits.quota_gpus, used.gpus),
            (limits.max_running, len(held)),
        ):
            if most is not None and has > most:
                return False
    return True


def total(resources: list[Resources]) -> Resources:
    return Resources(
        sum(r.cpus for r in resources),
        sum(r.gpus for r in resources),
        sum(r.memory_mb for r in resources),
    )


def after(situation: Situation, decisions: list[Decision] | None = None) -> Situation:
    """The situation when what is decided has happened; who is to leave has not left yet."""
    queue = {run.run: run for run in situation.queue}
    placed = {run.run: run for run in situation.placed}
    reserved = {}
    for decision in decide(situation) if decisions is None else decisions:
        match decision:
            case Admit(name, node):
                run = queue.pop(name)
                placed[name] = Placed(
                    name,
                    node,
                    run.resources,
                    run.account,
                    run.user,
                    run.pool,
                    run.priority,
                    situation.now,
                )
            case Preempt(name):
                assert not placed[name].leaving
                placed[name] = replace(placed[name], leaving=True)
            case Reject(name):
                del queue[name]
            case Reserve(name, pool):
                assert pool not in reserved
                reserved[pool] = name
    return replace(
        situation, queue=list(queue.values()), placed=list(placed.values()), reserved=reserved
    )
