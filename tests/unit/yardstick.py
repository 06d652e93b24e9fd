"""What a function costs in loops of plain Python: a busy machine makes both slower alike."""

import time
from collections.abc import Callable

SECOND = 350  # loops in a second of a quiet machine
_STEPS = 100_000


def cost(function: Callable[[], object]) -> float:
    """Processor time of this thread in the function, in loops of 100,000 steps."""
    loops = [_seconds(_loop) for _ in range(3)]
    return _seconds(function) / min(loops)


def _seconds(function: Callable[[], object]) -> float:
    started = time.thread_time()
    function()
    return time.thread_time() - started


def _loop() -> None:
    total = 0
    for number in range(_STEPS):
        total += number % 7
