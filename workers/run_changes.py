"""What the dispatcher makes of runs that it places nowhere (yet)."""

from domain.run import Run


def reject(run: Run, reason: str) -> None:
    """End a run that cannot be placed."""
    run.fail(run.attempt, reason, points=0, root=None, failure={}, logged={})


def queue(run: Run) -> None:
    """Let it wait for room."""
    run.queue()


def preempt(run: Run, attempt: int, by: str, reason: str) -> None:
    """Ask it to give its room to another."""
    run.request_preemption(attempt, by, reason)


def fall_silent(run: Run, attempt: int) -> None:
    """Give up a run in a process of its user."""
    run.lose_attempt(attempt, "its process has not been heard of any more")
