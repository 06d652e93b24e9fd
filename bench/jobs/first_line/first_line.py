"""Tells when its first line ran."""

import time

STARTED_S = time.time()

import hansard  # noqa: E402 - the clock is read first: this is the first line of user code


class FirstLine(hansard.Executor):
    """Does nothing else."""

    def execute(self) -> dict[str, float]:
        """The Unix time of the first line."""
        return {"started_s": STARTED_S}
