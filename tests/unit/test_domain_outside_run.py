"""Runs in a process of their user: they run when they are opened, and are never tried again."""

from typing import Any

import pytest

from domain.errors import Conflict, Invalid
from domain.outside_run import OUTSIDE, is_outside, open_run
from domain.run import Run, Status
from hansard.formats.ids import new_id


def opened(**changes: Any) -> Run:
    asked: dict[str, Any] = {
        "project": new_id("project"),
        "experiment": new_id("experiment"),
        "name": "try",
        "parameters": {"lr": 0.1},
        "tags": {},
        "started_by": "a notebook",
    }
    return open_run(new_id("run"), **(asked | changes))


def test_it_runs_when_it_is_opened_and_nothing_of_it_is_placed() -> None:
    run = opened()
    assert is_outside(run)
    assert (run.status, run.attempt, run.node) == (Status.RUNNING, 1, OUTSIDE)
    assert (run.executor, run.slots, run.resources["cpus"]) == ("", {}, 0)


def test_its_only_attempt_lost_is_the_end() -> None:
    run = opened()
    run.lose_attempt(1, "silence")
    assert run.status is Status.LOST
    with pytest.raises(Conflict):
        run.succeed(1, points=1, root=None, results={}, logged={}, outputs=[])


def test_a_wish_to_stop_waits_for_its_process_and_a_lost_one_was_cancelled() -> None:
    run = opened()
    run.request_cancel("enough")
    assert (run.status, run.cancel_requested) == (Status.RUNNING, True)
    run.lose_attempt(1, "silence")
    assert run.status is Status.CANCELLED


def test_odd_names_and_tags_are_refused() -> None:
    for change in ({"name": "a/b"}, {"tags": {"a b": "c"}}):
        with pytest.raises(Invalid):
            opened(**change)
