"""Given, when, then: aggregates in a state, and what a command makes them emit."""

from collections.abc import Callable
from typing import Any

from eventsourcing.utils import get_topic

from domain.aggregate import Aggregate
from domain.run import Run, Status
from domain.signatures.first_format import translated
from hansard.formats.ids import new_id

Command = Callable[[Run], object]

SOURCE: dict[str, Any] = {"signature": translated({"methods": {}, "slots": {}})}

QUEUE: Command = lambda run: run.queue()  # noqa: E731
ADMIT: Command = lambda run: run.admit(  # noqa: E731
    backend="local", node="n1", fence=1, token_digest="d"
)
START: Command = lambda run: run.start(run.attempt, sandbox="none", facts={})  # noqa: E731
BEGIN: Command = lambda run: run.begin(run.attempt)  # noqa: E731
CANCEL: Command = lambda run: run.request_cancel("enough")  # noqa: E731
PREEMPT: Command = lambda run: run.preempt(run.attempt, "urgent work")  # noqa: E731
LOSE: Command = lambda run: run.lose_attempt(run.attempt, "node died")  # noqa: E731
STOPPED: Command = lambda run: run.end_cancelled(run.attempt, points=1, root="r")  # noqa: E731


def succeed(run: Run) -> None:
    run.succeed(run.attempt, points=3, root="r", results={"a": 1}, logged={}, outputs=[])


def fail(run: Run) -> None:
    run.fail(run.attempt, "code", points=0, root=None, failure={"type": "E"}, logged={})


PATHS: dict[Status, tuple[Command, ...]] = {
    Status.REQUESTED: (),
    Status.QUEUED: (QUEUE,),
    Status.ADMITTED: (QUEUE, ADMIT),
    Status.STARTING: (QUEUE, ADMIT, START),
    Status.RUNNING: (QUEUE, ADMIT, START, BEGIN),
    Status.PREEMPTED: (QUEUE, ADMIT, PREEMPT),
    Status.SUCCEEDED: (QUEUE, ADMIT, START, BEGIN, succeed),
    Status.FAILED: (QUEUE, ADMIT, fail),
    Status.CANCELLED: (CANCEL,),
    Status.LOST: (QUEUE, *(ADMIT, LOSE) * 3),
}
"""How a run comes into each state."""


def a_slot(keep: str, name: str | None = None) -> dict[str, Any]:
    part = {"version": new_id("version"), "parameters": {}, "methods": {}}
    return {**part, "keep": keep, "name": name}


def a_request(**changed: Any) -> Run:
    asked: dict[str, Any] = {
        "name": "first",
        "tags": {},
        "project": new_id("project"),
        "experiment": new_id("experiment"),
        "executor": new_id("version"),
        "parameters": {"epochs": 3},
        "slots": {"model": a_slot("version")},
        "resources": {"cpus": 1, "gpus": 0, "memory_mb": 0, "wall_time_s": 60},
        "lock": "0" * 64,
        "seed": 7,
    }
    return Run.request(new_id("run"), **asked | changed)


def given(status: Status) -> Run:
    """A run in this state, with nothing left to save."""
    run = a_request()
    for command in PATHS[status]:
        command(run)
    assert run.status == status
    run.collect_events()
    return run


def emitted(aggregate: Aggregate) -> list[str]:
    """Topics of what the aggregate has emitted and nobody has saved."""
    return [get_topic(type(event)) for event in aggregate.pending_events]
