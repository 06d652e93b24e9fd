"""Which waiting run gets which room: a pure function of the queue, what is placed, and the nodes.

First come, first served, in two lanes: a run that waits for GPUs does not hold back runs that need
none. Within a lane nobody overtakes; what one lane takes, the other has to wait for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.resources import Resources, never_fits


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run in the queue."""

    run: str
    resources: Resources


@dataclass(frozen=True, slots=True)
class Placed:
    """A run that holds room on a node."""

    run: str
    node: str
    resources: Resources


@dataclass(frozen=True, slots=True)
class Admit:
    """Give this run room on this node."""

    run: str
    node: str


@dataclass(frozen=True, slots=True)
class Reject:
    """No node could ever run this."""

    run: str
    reason: str


Decision = Admit | Reject


def decide(
    queue: Sequence[Waiting],
    placed: Sequence[Placed],
    nodes: Mapping[str, Resources],
    known: Sequence[Resources] | None = None,
) -> list[Decision]:
    """Decisions for a queue in order of arrival, for the nodes that are there.

    What would fit a `known` node waits for it to come back; with no node known, everything waits.
    """
    known = list(nodes.values()) if known is None else known
    room = dict(nodes)
    for run in placed:
        if run.node in room:
            room[run.node] = room[run.node].minus(run.resources)
    decisions: list[Decision] = []
    blocked: set[bool] = set()
    for waiting in queue:
        lane = waiting.resources.gpus > 0
        reason = never_fits(waiting.resources, list(known))
        if reason is not None:
            decisions.append(Reject(waiting.run, reason))
        elif lane not in blocked:
            node = _roomiest(waiting.resources, room)
            if node is None:
                blocked.add(lane)
            else:
                room[node] = room[node].minus(waiting.resources)
                decisions.append(Admit(waiting.run, node))
    return decisions


def _roomiest(asked: Resources, room: Mapping[str, Resources]) -> str | None:
    """The node with most free CPUs that has room, the first by name among equals."""
    fitting = [name for name, free in sorted(room.items()) if asked.fits(free)]
    return max(fitting, key=lambda name: room[name].cpus, default=None)
