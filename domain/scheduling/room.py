"""The room of a pool's nodes while decisions are made, and what of it is kept for whom."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from domain.resources import Resources
from domain.scheduling.facts import GRACE_S, Offer, Placed, Waiting


@dataclass(slots=True)
class Reservation:
    """A node that is kept for a run from a time on; `spare` is what it leaves to others then."""

    run: str
    at: float
    spare: Resources


class Rooms:
    """Free room by node. What does not fit now is not asked again: room only shrinks."""

    def __init__(self, offers: Mapping[str, Offer], placed: Iterable[Placed], now: float) -> None:
        self._offers = offers
        self._now = now
        self._free = {name: offer.resources for name, offer in sorted(offers.items())}
        self._ends: defaultdict[str, list[tuple[float, Resources]]] = defaultdict(list)
        self._kept: dict[str, Reservation] = {}
        self._too_large: set[Resources] = set()
        for run in placed:
            if run.node in offers:
                self._hold(run.node, run.resources, max(run.ends_at, now))

    @property
    def is_full(self) -> bool:
        """Whether nothing at all has room: every run needs a CPU."""
        return all(free.cpus < 1 for free in self._free.values())

    def free(self, node: str) -> Resources:
        """What nobody holds on a node."""
        return self._free[node]

    def unkept(self) -> list[str]:
        """Nodes that are kept for nobody."""
        return [node for node in self._free if node not in self._kept]

    def is_too_large(self, asked: Resources) -> bool:
        """Whether this is known to have no room."""
        return asked in self._too_large

    def place(self, run: Waiting) -> str | None:
        """Take room for a run and answer the node; None where there is none for it.

        Without GPUs it goes where fewest GPUs are free, then where most CPUs are.
        """
        asked = run.resources
        if asked in self._too_large:
            return None
        fitting = [node for node, free in self._free.items() if self._has_room(node, free, asked)]
        if not fitting:
            self._too_large.add(asked)
            return None
        node = min(fitting, key=self._preference)
        ends_at = self._now + asked.wall_time_s + GRACE_S
        kept = self._kept.get(node)
        if kept is not None and ends_at > kept.at:
            kept.spare = kept.spare.minus(asked)
        self._hold(node, asked, ends_at)
        return node

    def keep_earliest(self, run: Waiting) -> bool:
        """Keep the node that has room for the run soonest; False if no node here ever has."""
        soonest = min(
            ((at, node) for node in self.unkept() if (at := self._ready_at(node, run)) is not None),
            default=None,
        )
        if soonest is None:
            return False
        at, node = soonest
        self.keep(node, run, at, self._free_at(node, at))
        return True

    def keep(self, node: str, run: Waiting, at: float, free: Resources) -> None:
        """Keep a node for a run from a time at which this much will be free."""
        self._kept[node] = Reservation(run.run, at, free.minus(run.resources))

    def _has_room(self, node: str, free: Resources, asked: Resources) -> bool:
        if not asked.fits(free):
            return False
        kept = self._kept.get(node)
        if kept is None or self._now + asked.wall_time_s + GRACE_S <= kept.at:
            return True
        return asked.fits(kept.spare)

    def _preference(self, node: str) -> tuple[int, int, str]:
        free = self._free[node]
        return free.gpus, -free.cpus, node

    def _hold(self, node: str, resources: Resources, until: float) -> None:
        self._free[node] = self._free[node].minus(resources)
        self._ends[node].append((until, resources))

    def _ready_at(self, node: str, run: Waiting) -> float | None:
        """When a node has room for a run at the latest; None if it is too small."""
        if not run.resources.fits(self._offers[node].resources):
            return None
        free = self._free[node]
        for at, resources in sorted(self._ends[node], key=lambda end: end[0]):
            free = free.plus(resources)
            if run.resources.fits(free):
                return at
        return None

    def _free_at(self, node: str, at: float) -> Resources:
        free = self._free[node]
        for until, resources in self._ends[node]:
            if until <= at:
                free = free.plus(resources)
        return free
