"""How many names a caller may ask for: enough for any upload, too few to search for content."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

import structlog

from domain.errors import DomainError

BYTES_A_SECOND = 2 << 20
BURST_BYTES = 64 << 20
_CALLERS = 10_000

_log = structlog.get_logger(__name__)


class AskLimits:
    """A bucket for each caller, filled with time. For the threads of one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, caller: str, bytes_: int) -> None:
        """Take a question's bytes. Raises DomainError `too-many` when the bucket is empty."""
        now = self._clock()
        left, at = self._buckets.pop(caller, (float(BURST_BYTES), now))
        left = min(BURST_BYTES, left + (now - at) * BYTES_A_SECOND)
        _log.info("objects_asked", caller=caller, bytes=bytes_)
        if bytes_ > left:
            self._buckets[caller] = (left, now)
            wait_s = math.ceil((bytes_ - left) / BYTES_A_SECOND)
            raise DomainError(
                "too many names were asked for", code="too-many", retry_after_s=wait_s
            )
        self._buckets[caller] = (left - bytes_, now)
        if len(self._buckets) > _CALLERS:
            self._buckets.popitem(last=False)
