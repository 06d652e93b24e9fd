"""Logs points at a steady rate, as a training loop does."""

import time

import hansard

_KEYS = [f"train/loss_{number}" for number in range(10)]


class LogPoints(hansard.Executor):
    """Ten keys, all of them at each step."""

    def execute(self, points_per_s: int = 1000, seconds: int = 20) -> None:
        """Log for so long; a step that comes late is followed by the next one at once."""
        period = len(_KEYS) / points_per_s
        begun = time.monotonic()
        for step in range(round(seconds / period)):
            time.sleep(max(0.0, begun + step * period - time.monotonic()))
            for key in _KEYS:
                hansard.log_metric(key, 1 / (step + 1), step)
