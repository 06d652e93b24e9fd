"""A run: which command is possible in which state, and the one event that ends it."""

from collections.abc import Callable

import pytest

from domain.errors import Conflict, Invalid
from domain.run import MAX_ATTEMPTS, MAX_NOTES, PLACED, TERMINAL, WAITING, Run, Status
from tests.unit.stories import (
    ADMIT,
    BEGIN,
    CANCEL,
    LOSE,
    PREEMPT,
    QUEUE,
    START,
    STOPPED,
    Command,
    a_request,
    emitted,
    fail,
    given,
    succeed,
)

COMMANDS: dict[str, tuple[Command, dict[Status, str]]] = {
    "queue": (QUEUE, dict.fromkeys((Status.REQUESTED, Status.PREEMPTED), "run.queued.v1")),
    "admit": (ADMIT, {Status.QUEUED: "run.admitted.v2"}),
    "start": (START, {Status.ADMITTED: "run.starting.v1"}),
    "begin": (BEGIN, {Status.STARTING: "run.running.v1"}),
    "cancel": (
        CANCEL,
        dict.fromkeys(WAITING, "run.cancelled.v1")
        | dict.fromkeys(PLACED, "run.cancel_requested.v1"),
    ),
    "preempt": (PREEMPT, dict.fromkeys(PLACED, "run.preempted.v1")),
    "lose": (LOSE, dict.fromkeys(PLACED, "run.attempt_lost.v1")),
    "stopped": (STOPPED, dict.fromkeys(PLACED, "run.cancelled.v1")),
    "succeed": (succeed, dict.fromkeys(PLACED, "run.succeeded.v1")),
    "fail": (fail, dict.fromkeys(PLACED | WAITING, "run.failed.v1")),
    "archive": (Run.archive, dict.fromkeys(TERMINAL, "run.archived.v1")),
    "note": (lambda run: run.note("odd"), dict.fromkeys(Status, "run.noted.v1")),
    "rename": (lambda run: run.rename("other"), dict.fromkeys(Status, "run.renamed.v1")),
}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_emits_its_event_or_is_refused(name: str, status: Status) -> None:
    command, possible = COMMANDS[name]
    run = given(status)
    if status in possible:
        command(run)
        assert emitted(run) == [possible[status]]
    else:
        with pytest.raises(Conflict):
            command(run)
        assert emitted(run) == []
        assert run.status == status


def test_attempts_are_numbered_from_one() -> None:
    run = given(Status.QUEUED)
    numbers = []
    for _ in range(MAX_ATTEMPTS):
        ADMIT(run)
        numbers.append(run.attempt)
        LOSE(run)
    assert numbers == [1, 2, 3]
    assert run.status == Status.LOST


def test_a_preempted_attempt_does_not_count_as_a_failure_of_the_infrastructure() -> None:
    run = given(Status.PREEMPTED)
    QUEUE(run)
    ADMIT(run)
    assert run.attempt == 2
    assert run.status == Status.ADMITTED


@pytest.mark.parametrize("late", [START, BEGIN, succeed, fail, LOSE, PREEMPT, STOPPED])
def test_what_an_attempt_that_is_over_tells_is_refused(late: Command) -> None:
    run = given(Status.ADMITTED)
    LOSE(run)
    ADMIT(run)
    run.collect_events()

    class Before:
        """The run as a node sees that still believes in its first attempt."""

        attempt = 1

        def __getattr__(self, name: str) -> object:
            return getattr(run, name)

    with pytest.raises(Conflict):
        late(Before())  # type: ignore[arg-type]
    assert emitted(run) == []


ENDINGS: list[Callable[[Run], object]] = [succeed, fail, STOPPED, CANCEL, LOSE, PREEMPT]


@pytest.mark.parametrize("first", [succeed, fail, STOPPED])
@pytest.mark.parametrize("second", ENDINGS)
def test_whatever_races_one_terminal_event_ends_a_run(first: Command, second: Command) -> None:
    run = given(Status.RUNNING)
    first(run)
    with pytest.raises(Conflict):
        second(run)
    assert len(emitted(run)) == 1
    assert run.ended


@pytest.mark.parametrize("ends_it", [LOSE, PREEMPT, STOPPED])
def test_a_run_that_is_to_stop_never_waits_again(ends_it: Command) -> None:
    run = given(Status.RUNNING)
    CANCEL(run)
    ends_it(run)
    assert run.status == Status.CANCELLED


def test_a_run_that_finishes_before_it_is_stopped_has_succeeded() -> None:
    run = given(Status.RUNNING)
    CANCEL(run)
    succeed(run)
    assert run.status == Status.SUCCEEDED


def test_a_second_wish_to_cancel_is_refused() -> None:
    run = given(Status.RUNNING)
    CANCEL(run)
    with pytest.raises(Conflict, match="already"):
        CANCEL(run)


def test_the_token_of_an_attempt_closes_with_it() -> None:
    run = given(Status.RUNNING)
    assert run.token_digest is not None
    LOSE(run)
    assert run.token_digest is None


def test_a_run_cancelled_before_its_first_attempt_proves_that_it_logged_nothing() -> None:
    run = given(Status.QUEUED)
    CANCEL(run)
    assert vars(run.pending_events[0])["metric_points"] == 0
    again = given(Status.PREEMPTED)
    CANCEL(again)
    assert vars(again.pending_events[0])["metric_points"] is None


def test_a_run_holds_so_many_notes_and_no_more() -> None:
    run = given(Status.SUCCEEDED)
    for _ in range(MAX_NOTES):
        run.note("again")
    with pytest.raises(Conflict):
        run.note("one too many")


@pytest.mark.parametrize("text", ["nul\0", "\ud800", "x" * 20_000])
def test_text_that_cannot_be_stored_is_refused(text: str) -> None:
    run = given(Status.RUNNING)
    for command in (run.note, run.request_cancel, run.describe):
        with pytest.raises(Invalid):
            command(text)
    with pytest.raises(Invalid):
        run.tag({"key": text})
    assert emitted(run) == []


def test_a_run_needs_an_id_of_its_kind() -> None:
    with pytest.raises(Invalid):
        Run.request("model-1", name="x", tags={})
    assert a_request(name="x").name == "x"
