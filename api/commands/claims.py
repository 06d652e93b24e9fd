"""What a run claims of the hardware: a pool, a priority, and the group that it counts for."""

from collections.abc import Sequence
from typing import Any

from api.access.guard import Guard
from domain.errors import Forbidden, Invalid
from domain.group import Group
from domain.resources import Resources
from domain.scheduling import Limits
from domain.scheduling.feasibility import beyond_limits, no_such_room
from domain.scheduling.limits import NO_LIMITS
from domain.user import User
from infra.environments.variants import CPU, DEFAULT_CUDA, variant_of
from infra.event_store import Session
from infra.nodes import Node


async def claimed(
    session: Session, guard: Guard, claim: dict[str, Any], asked: Resources, nodes: Sequence[Node]
) -> dict[str, Any]:
    """The claim with the group that is meant: the one named, or the first the caller is in.

    Raises Forbidden for a group of others, and Invalid for what no node could ever give or what
    limits forbid for ever.
    """
    groups = guard.access.subject["groups"]
    assert isinstance(groups, frozenset)
    group = claim["group"]
    if group is not None and group not in groups:
        raise Forbidden("you are not in the group that this run is to count for", field="group")
    group = group or min(groups, default=None)
    pools: dict[str, list[Resources]] = {}
    for node in nodes:
        pools.setdefault(node.pool, []).append(node.resources)
    reason = no_such_room(asked, claim["pool"], pools)
    if reason is not None:
        raise Invalid(reason, code="no-such-resources")
    await _require_within_limits(session, asked, group)
    return {**claim, "group": group}


def variants_wanted(asked: Resources, pool: str, nodes: Sequence[Node]) -> tuple[str, ...]:
    """The accelerator variants for which a run's environment is locked: of all nodes it may get.

    One without GPUs sees none wherever it runs.
    """
    if not asked.gpus:
        return (CPU,)
    fitting = (n for n in nodes if n.pool == pool and n.resources.gpus)
    found = {variant_of(node.facts.get("accelerators", [])) for node in fitting}
    return tuple(sorted(found)) or (DEFAULT_CUDA,)


async def _require_within_limits(session: Session, asked: Resources, group: str | None) -> None:
    holders = (
        await session.find(Group, group, repeats=False) if group else None,
        await session.find(User, session.actor, repeats=False),
    )
    for holder in holders:
        limits = Limits.of(holder.attributes) if holder is not None else NO_LIMITS
        reason = beyond_limits(asked, limits, alone=isinstance(holder, User))
        if reason is not None:
            raise Invalid(reason, code="over-quota")
