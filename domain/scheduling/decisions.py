"""What can be decided about a run; each decision becomes an event."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Admit:
    """Give this run room on this node."""

    run: str
    node: str


@dataclass(frozen=True, slots=True)
class Preempt:
    """Take the room of this run away, for the run `by`."""

    run: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    """This run could never start."""

    run: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reserve:
    """It is this run's turn, and the room that is free soonest is kept for it until it starts.

    Nothing happens yet, so this is no event: it is to be known in the next round.
    """

    run: str
    pool: str


Decision = Admit | Preempt | Reject | Reserve
