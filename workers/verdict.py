"""Judges how a step ended: one outcome, a reason in words, and what it left."""

import signal
from pathlib import Path
from typing import Any

from workers.execution import Ended
from workers.faults import AttemptFault, StepFault, Stopped
from workers.launch_spec import LaunchSpec
from workers.step_documents import read_failure, read_notes, read_result

MAX_REASON_CHARS = 2_000
NOTHING_LEFT: dict[str, Any] = {
    "results": {},
    "outputs": [],
    "logged": {},
    "texts": [],
    "read": [],
    "notes_dropped": 0,
    "failure": None,
}
"""What the last status tells of a step that left nothing."""


def results_of(ended: Ended, step: Path) -> dict[str, Any]:
    """The results of a step that succeeded. Raises the AttemptFault that says why it did not."""
    if ended.damage:
        raise ended.damage
    if isinstance(ended.stopped, StepFault):  # what it still finished came too late
        raise ended.stopped
    if ended.exit_code == 0:
        results = read_result(step)
        if results is None:
            raise ended.stopped or StepFault("it exited with status 0 but left no result")
        return results
    raise ended.stopped or StepFault(_in_words(ended.exit_code, read_failure(step)))


def outcome_of(fault: BaseException) -> tuple[str, str]:
    """Outcome and reason for whatever ended an attempt; unforeseen errors do not tell contents."""
    match fault:
        case Stopped():
            outcome = "cancelled"
        case StepFault():
            outcome = "failed"
        case _:
            outcome = "error"
    if isinstance(fault, AttemptFault):
        return outcome, str(fault)[:MAX_REASON_CHARS]
    if isinstance(fault, OSError):
        return outcome, f"the node failed: {fault.strerror or type(fault).__name__}"
    return outcome, f"the launcher failed: {type(fault).__name__}"


def left_behind(spec: LaunchSpec, step: Path) -> dict[str, Any]:
    """Notes and failure of a step, as the last status tells them."""
    notes = read_notes(step)
    return {
        "logged": notes.params,
        "texts": notes.texts,
        "read": [
            {"dataset": name, "version": dataset["version"], **notes.read[name]}
            for name, dataset in spec.datasets.items()
            if name in notes.read
        ],
        "notes_dropped": notes.dropped,
        "failure": read_failure(step),
    }


def _in_words(exit_code: int, failure: dict[str, str] | None) -> str:
    if exit_code < 0:
        return _signal_in_words(-exit_code)
    if failure is not None:
        return f"{failure['type']}: {failure['message']}".strip().removesuffix(":")
    return f"it exited with status {exit_code}"


def _signal_in_words(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if number == signal.SIGKILL:
        return f"it was killed by {name}, possibly because memory ran out"
    return f"it was killed by {name}"
