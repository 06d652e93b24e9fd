"""Keeps a processor busy for a while."""

import time

import hansard


class Busy(hansard.Executor):
    """A short job."""

    def execute(self, seconds: float = 0.05) -> None:
        """Count until so much processor time is used; log how far it came."""
        end, count = time.process_time() + seconds, 0
        while time.process_time() < end:
            count += 1
        hansard.log_metric("count", count)
