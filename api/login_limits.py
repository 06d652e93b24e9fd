"""Bounds the guessing of passwords and secrets: so many failures per login and client address.

Kept in the memory of one process. An attempt counts as a failure until it has succeeded, so that
many attempts at once are no way around.
"""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from domain.errors import DomainError

WINDOW_S = 300.0
PER_LOGIN = 5
PER_ADDRESS = 20
MOST_KNOWN = 20_000


class LoginLimits:
    """Remembers the failures of the last five minutes; beyond a bound, those longest ago go."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def attempt(self, address: str, login: str | None = None) -> None:
        """Count an attempt. Raises DomainError `too-many-logins` instead of letting it happen."""
        wait_s = max(self._wait_s(place, most) for place, most in _places(address, login))
        if wait_s > 0:
            raise DomainError(
                "too many failed attempts: try again later",
                code="too-many-logins",
                retry_after_s=math.ceil(wait_s),
            )
        for place, _ in _places(address, login):
            self._failures.setdefault(place, deque()).append(self._clock())
            self._failures.move_to_end(place)
        while len(self._failures) > MOST_KNOWN:
            self._failures.popitem(last=False)

    def succeeded(self, address: str, login: str | None = None) -> None:
        """Take the attempt back, and with it all failures of this login."""
        if login is not None:
            self._failures.pop(("login", login.casefold()), None)
        failures = self._failures.get(("address", address))
        if failures:
            failures.pop()

    def _wait_s(self, place: tuple[str, str], most: int) -> float:
        """How long until there is room for one more failure."""
        failures = self._failures.get(place, deque())
        begin = self._clock() - WINDOW_S
        while failures and failures[0] <= begin:
            failures.popleft()
        return failures[-most] - begin if len(failures) >= most else 0.0


def _places(address: str, login: str | None) -> list[tuple[tuple[str, str], int]]:
    """What is counted, and how many failures it may have."""
    found = [(("address", address), PER_ADDRESS)]
    return found if login is None else [*found, (("login", login.casefold()), PER_LOGIN)]
