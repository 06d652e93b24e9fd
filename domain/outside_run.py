"""Runs in a process of their user: opened as running, with no executor, no place, one attempt."""

from typing import Any

from domain.resources import Resources
from domain.run import Run

OUTSIDE = "outside"
"""Backend and node of such a run."""


def open_run(id_: str, *, started_by: str, name: str, tags: dict[str, str], **asked: Any) -> Run:
    """A run that goes on already, in a process of whoever opens it. Raises Invalid."""
    run = Run.request(
        id_,
        name=name,
        tags=tags,
        executor="",
        slots={},
        resources=Resources(0, 0, 0, 0).as_dict(),
        lock="",
        seed=0,
        **asked,
    )
    run.queue()
    attempt = run.admit(backend=OUTSIDE, node=OUTSIDE, fence=0, token_digest="")
    run.start(attempt, sandbox="none", facts={"started_by": started_by})
    run.begin(attempt)
    return run


def is_outside(run: Run) -> bool:
    """Whether nothing of it is placed or tried again: its only attempt lost, it is lost."""
    return not run.executor
