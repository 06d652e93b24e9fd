"""A run in this process: what is logged meanwhile belongs to it, and is told to the platform."""

import os
import platform
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self

from hansard.client_errors import HansardError, NotConfigured, Unavailable, Unreachable
from hansard.formats.ids import new_id
from hansard.plain import plain
from hansard.run_log import STEP_DIR_VARIABLE, log_into, log_params, log_text
from hansard.tracking.delivery import Delivery
from hansard.tracking.recorder import Recorder
from hansard.tracking.spool import Facts, Spool, new_spool, spool_root

_TICK_S = 1.0
_GOING_EVERY_S = 10.0
_LONGEST_PAUSE_S = 30.0
PATIENCE_S = 10.0
"""How long the end of a run waits for the platform to take the rest."""

_MAX_TRACE_CHARS = 64 * 1024


class LocalRun:
    """A run of this process; use it with `with`. `id` is known at once, whoever can be reached.

    An exception ends it as failed, with its traceback, and goes on. What cannot be delivered stays
    in the spool until `hansard sync`.
    """

    def __init__(self, facts: Facts) -> None:
        self.id = facts.id
        self.name = facts.name
        self._facts = facts
        self._results: dict[str, Any] = {}
        self._stack = ExitStack()
        self._cancelled = False

    def result(self, **results: Any) -> None:
        """Set final results by name, JSON values. Raises TypeError or ValueError."""
        self._results |= plain(results, "results")

    def note(self, text: str) -> None:
        """Keep a remark among the texts of the run."""
        log_text("note", text)

    def __enter__(self) -> Self:
        if os.environ.get(STEP_DIR_VARIABLE):
            raise RuntimeError("a run goes on in this process already")
        self._spool = new_spool(spool_root(), self._facts)
        self._stack.enter_context(self._spool.held())
        self._recorder = self._stack.enter_context(Recorder(self._spool))
        log_into(self._spool.step)
        if self._facts.parameters:
            log_params(self._facts.parameters)
        self._telling = _Telling(self._spool, self._recorder, self._cancel)
        self._telling.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        log_into(None)
        with self._stack:
            self._telling.stop()
            outcome, reason, failure = self._outcome(error)
            try:
                self._recorder.end(outcome, reason, results=self._results, failure=failure)
            except OSError as problem:  # a full disk must not hide how the run ended
                _warn(f"how this run ended could not be kept: {problem.strerror}")
            self._telling.finish()

    def _outcome(self, error: BaseException | None) -> tuple[str, str, dict[str, str] | None]:
        if error is None or (isinstance(error, SystemExit) and not error.code):
            return "succeeded", "", None
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        if self._cancelled and isinstance(error, KeyboardInterrupt):
            return "cancelled", "cancelled on request", None
        text = "".join(traceback.format_exception(error))[-_MAX_TRACE_CHARS:]
        name, message = type(error).__qualname__[:500], str(error)[:10_000]
        return "failed", reason, {"type": name, "message": message, "traceback": text}

    def _cancel(self) -> None:
        if not self._cancelled:
            self._cancelled = True
            main = threading.main_thread().ident
            if main is not None:  # a real signal: it ends a wait in the main thread too
                signal.pthread_kill(main, signal.SIGINT)


class _Telling(threading.Thread):
    """Moves and delivers in the background; trouble never reaches the run."""

    def __init__(self, spool: Spool, recorder: Recorder, cancel: Any) -> None:
        super().__init__(name="hansard", daemon=True)
        self._spool = spool
        self._recorder = recorder
        self._cancel = cancel
        self._stopped = threading.Event()
        self._delivery: Delivery | None = None
        self._given_up = False
        self._status = ""

    def run(self) -> None:
        next_word = 0.0
        pause = _TICK_S
        while True:
            with suppress(OSError):  # a full disk: what waits is moved when there is room again
                if time.monotonic() >= next_word:
                    self._recorder.going()
                    next_word = time.monotonic() + _GOING_EVERY_S
                self._recorder.move()
            pause = _TICK_S if self._deliver() else min(2 * pause, _LONGEST_PAUSE_S)
            if self._stopped.wait(_TICK_S if self._given_up else pause):
                return

    def stop(self) -> None:
        """End the thread; nobody else moves or delivers when this returns."""
        self._stopped.set()
        self.join()

    def finish(self) -> None:
        """Deliver the rest, with some patience, and delete what was delivered."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._given_up and not self._deliver():
            if time.monotonic() > deadline:
                self._given_up = True
            time.sleep(min(_TICK_S, PATIENCE_S / 10))
        if self._delivery is not None:
            self._delivery.close()
        self._given_up = self._given_up or not self._recorder.ended
        if self._given_up:
            _warn(f"{self._spool.path.name} waits for `hansard sync` in {self._spool.path}")
        elif self._status == "lost":
            _warn(f"{self._spool.path.name} was given up by the platform: it stays lost there")
        if not self._given_up and not self._spool.remove():
            _warn(f"files that were logged stay in {self._spool.path}")

    def _deliver(self) -> bool:
        """Whether all that is there was delivered. What will not pass is said once."""
        if self._given_up:
            return False
        try:
            if self._delivery is None:
                self._delivery = _connected(self._spool)
            told = self._delivery.deliver()
        except (Unreachable, Unavailable):
            return False
        except HansardError as error:
            self._given_up = True
            if not isinstance(error, NotConfigured):
                _warn(f"the platform does not take this run: {error}")
            return False
        if told is not None:
            self._status = told.status
            if told.cancel_requested and not self._stopped.is_set():
                self._cancel()
        return True


def start_run(
    name: str,
    params: Mapping[str, Any] | None = None,
    *,
    experiment: str = "default",
    project: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> LocalRun:
    """A run in this process, without a worker: `with hansard.start_run("try", {"lr": 0.1}):`.

    Everything logged inside the block belongs to it. It is told to the platform meanwhile where
    that can be reached, and by `hansard sync` otherwise. An experiment that is not there is made.
    Raises TypeError or ValueError for parameters that JSON cannot hold.
    """
    facts = Facts(
        id=new_id("run"),
        name=name,
        experiment=experiment,
        project=project,
        parameters=plain(dict(params or {}), "params"),
        tags=dict(tags or {}),
        started_by=f"{os.path.basename(sys.argv[0]) or 'python'}, "
        f"Python {platform.python_version()}"[:200],
    )
    return LocalRun(facts)


def _connected(spool: Spool) -> Delivery:
    from hansard.client import Client  # noqa: PLC0415 - not before it is needed
    from hansard.credentials import find_credentials  # noqa: PLC0415 - same

    found = find_credentials()
    return Delivery(Client(found.url, found.token, patience_s=0.0), found.url, spool)


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=4)
