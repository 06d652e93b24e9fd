"""Whose turn it is: priority, then guaranteed shares, then the smallest share, then age.

Runs of one user, account, priority and kind (with GPUs or without) are a lane; in a lane it goes by
the order of request. A lane that was given nothing for a day ranks one priority higher, two for two
days, so that nobody waits for ever behind those of higher priority.
"""

import heapq
from collections.abc import Callable, Iterable

from domain.resources import Resources
from domain.scheduling.accounts import Accounts
from domain.scheduling.facts import Situation, Waiting

AGE_STEP_S = 24 * 3600.0

Bundle = list[tuple[int, Waiting]]
"""Runs that differ in nothing but when they were asked for, each with its place in the queue."""
Key = tuple[int, bool, float, int]


def bundles_of(queue: Iterable[Waiting]) -> list[Bundle]:
    """The runs of a queue, bundled: most questions have one answer for all of a bundle."""
    found: dict[tuple[str, str, str, int], dict[Resources, Bundle]] = {}
    for place, run in enumerate(queue):
        kind = (run.pool, run.account, run.user, run.priority)
        found.setdefault(kind, {}).setdefault(run.resources, []).append((place, run))
    return [bundle for bundles in found.values() for bundle in bundles.values()]


class Lane:
    """Runs that go one after the other."""

    __slots__ = ("_bundles", "_passed", "head", "place")

    def __init__(self, bundles: Iterable[Bundle]) -> None:
        self._passed: Waiting | None = None
        self._bundles = [(bundle[0][0], 0, bundle) for bundle in bundles]
        heapq.heapify(self._bundles)  # by the place of their next run
        self.place, self.head = self._bundles[0][2][0]

    def advance(self) -> bool:
        """Go on to the next run; False if there is none."""
        _, index, bundle = self._bundles[0]
        if index + 1 < len(bundle):
            heapq.heapreplace(self._bundles, (bundle[index + 1][0], index + 1, bundle))
        else:
            heapq.heappop(self._bundles)
        return self._look()

    @property
    def overtaken_s(self) -> float:
        """How much later its next run was asked for than the first that was passed over."""
        return self.head.since - self._passed.since if self._passed else 0.0

    def pass_over(self, waits: Callable[[Resources], bool]) -> bool:
        """Go on to the first run that need not wait; False if there is none."""
        self._passed = self._passed or self.head
        while self._bundles and waits(self.head.resources):
            heapq.heappop(self._bundles)
            self._look()
        return bool(self._bundles)

    def _look(self) -> bool:
        if self._bundles:
            _, index, bundle = self._bundles[0]
            self.place, self.head = bundle[index]
        return bool(self._bundles)


class Order:
    """The lanes of a pool, as a heap; what is admitted moves its account back."""

    def __init__(self, bundles: Iterable[Bundle], situation: Situation, accounts: Accounts) -> None:
        self._situation = situation
        self._accounts = accounts
        self._served = dict(situation.served)
        kinds: dict[tuple[str, str, int, bool], list[Bundle]] = {}
        for bundle in bundles:
            _, run = bundle[0]
            kind = (run.account, run.user, run.priority, run.resources.gpus > 0)
            kinds.setdefault(kind, []).append(bundle)
        lanes = [Lane(of_a_kind) for of_a_kind in kinds.values()]
        self._heap = [(self._key(lane), lane.place, lane) for lane in lanes]
        heapq.heapify(self._heap)

    def heads(self) -> list[Waiting]:
        """The runs that go first in their lanes."""
        return [lane.head for _, _, lane in self._heap]

    def take(self) -> Lane | None:
        """The lane whose turn it is, taken out; give it back to go on with it."""
        while self._heap:
            key, place, lane = heapq.heappop(self._heap)
            now = self._key(lane)
            if now == key:
                return lane
            heapq.heappush(self._heap, (now, place, lane))  # its account got something meanwhile
        return None

    def give_back(self, lane: Lane) -> None:
        """Let the lane take part again, with another run in front."""
        heapq.heappush(self._heap, (self._key(lane), lane.place, lane))

    def serve(self, run: Waiting) -> None:
        """Count the room that a run was given."""
        self._accounts.add(run)
        self._served[run.account, run.priority] = self._situation.now

    def _key(self, lane: Lane) -> Key:
        run = lane.head
        served = self._served.get((run.account, run.priority), 0.0)
        waited = max(self._situation.now - max(run.since, served), 0.0)
        return (
            -run.priority - int(waited / AGE_STEP_S),
            not self._accounts.is_entitled(run),
            self._accounts.share(run.account, run.pool),
            lane.place,
        )
