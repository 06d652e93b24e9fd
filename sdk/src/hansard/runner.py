"""The step runner: executes one step in its own process and leaves a truthful trace of the end.

Started by the launcher as ``python -m hansard.runner`` in the step's environment and folder.
Exit codes: 0 with a durable ``result.json``, 1 with ``failure.json``, 143 when cancelled. Where
there are several workers the first leaves these, and all end together.
"""

import ctypes
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from hansard.assembly import assemble
from hansard.crew import Crew
from hansard.errors import Cancelled
from hansard.plain import plain
from hansard.roles import Executor
from hansard.run_log import STEP_DIR_VARIABLE
from hansard.slots import part_at
from hansard.step_file import Step, read_step

RESULT_NAME = "result.json"
FAILURE_NAME = "failure.json"
OUTPUTS_NAME = "outputs"
MAX_RESULT_BYTES = 1024 * 1024
EXIT_FAILED = 1
EXIT_CANCELLED = 128 + signal.SIGTERM

_MAX_MESSAGE_CHARS = 10_000
_MAX_TRACE_CHARS = 64 * 1024
_PR_SET_PDEATHSIG = 1


class _Cancellation:
    """Turns the first SIGTERM into Cancelled; later ones must not interrupt the clean-up."""

    def __init__(self) -> None:
        self.requested = False
        signal.signal(signal.SIGTERM, self._request)
        # The launcher starts us with it blocked, so that none is lost before we can handle it.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def _request(self, _signal: int, _frame: FrameType | None) -> None:
        if not self.requested:
            self.requested = True
            raise Cancelled

    def close(self) -> None:
        """From here on the step ends as it does, whatever is asked."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def main() -> int:
    """Run the step in HANSARD_STEP_DIR. Returns the exit code."""
    _die_with_parent()
    folder = Path(os.environ[STEP_DIR_VARIABLE]).resolve()
    cancellation = _Cancellation()
    crew: Crew | None = None
    try:
        step = read_step(folder)
        crew = Crew(step.workers, folder, lambda failure: _give_up(folder, failure))
        if crew.rank:
            _die_with_parent()
        result = _run(step, folder, crew)
        failed = crew.wait()
        cancellation.close()
    except BaseException as error:  # noqa: BLE001 - whatever ends user code is recorded
        cancellation.close()
        traceback.print_exc()
        return _ended_badly(error, folder, crew, cancelled=cancellation.requested)
    if cancellation.requested:  # user code swallowed it: the run was cancelled all the same
        return EXIT_CANCELLED
    if failed is not None:
        _write(folder / FAILURE_NAME, _encoded(failed))
        return EXIT_FAILED
    if crew.rank == 0:
        _write(folder / RESULT_NAME, result)
    return 0


def _ended_badly(error: BaseException, folder: Path, crew: Crew | None, *, cancelled: bool) -> int:
    """End what else there is of the step; tell of the worker that failed first."""
    before = crew.end(kindly=cancelled) if crew is not None else None
    if cancelled:
        return EXIT_CANCELLED
    if crew is not None and crew.rank:
        crew.leave(_failure(error))
    else:
        _write(folder / FAILURE_NAME, _encoded(before or _failure(error)))
    return EXIT_FAILED


def _give_up(folder: Path, failure: dict[str, str]) -> None:
    """Another worker has failed, and ours may wait for it for ever."""
    sys.stderr.write(f"{failure['message']}\n")
    _write(folder / FAILURE_NAME, _encoded(failure))
    os._exit(EXIT_FAILED)


def _run(step: Step, folder: Path, crew: Crew) -> bytes:
    """Execute the step, make its outputs durable and return the result document."""
    executor, execute = assemble(step)
    returned = execute()
    if crew.rank:
        return b""
    result = _encoded(_final(returned))
    if len(result) > MAX_RESULT_BYTES:
        raise ValueError(f"the result has {len(result)} bytes, more than {MAX_RESULT_BYTES}")
    for name, part in step.slots.items():
        if part.keep:
            _keep(executor, name, folder / OUTPUTS_NAME / name)
    return result


def _final(returned: object) -> dict[str, Any]:
    if returned is None:
        return {}
    if not isinstance(returned, Mapping):
        raise TypeError(f"`execute` returned a {type(returned).__name__}, not a dict or None")
    final: dict[str, Any] = plain(dict(returned), "result")
    return final


def _keep(executor: Executor, slot: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    part_at(executor, slot).save(folder)
    saved = list(folder.rglob("*"))
    if any(path.is_symlink() for path in saved) or not any(path.is_file() for path in saved):
        raise ValueError(f"`save` of the model in slot `{slot}` must write files, and no links")
    for path in (*saved, folder, folder.parent):
        _sync(path)


def _failure(error: BaseException) -> dict[str, str]:
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    trace = "".join(traceback.format_exception(error))
    message = str(error)[:_MAX_MESSAGE_CHARS]
    return {"type": name, "message": message, "traceback": trace[-_MAX_TRACE_CHARS:]}


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, allow_nan=False).encode()


def _write(path: Path, data: bytes) -> None:
    """Whole and durable, or not at all."""
    part = path.with_suffix(".part")
    part.write_bytes(data)
    _sync(part)
    part.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _die_with_parent() -> None:
    """A launcher that dies takes the step with it (Linux): nobody would report its end."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
