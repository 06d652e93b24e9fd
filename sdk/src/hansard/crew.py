"""The workers of a step that has several: processes forked before any user code, one rank each.

Rank 0 is the runner: it alone logs, returns the result and keeps models. Variables tell each worker
its rank and where rank 0 listens, as `torch.distributed` wants to know it. All are on one node.
"""

import json
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hansard.run_log import MUTE_VARIABLE

_CANCELLED = 128 + signal.SIGTERM
_PATIENCE_S = 0.5
"""A worker that fails drags others down: so long one that failed before is waited for."""


class Crew:
    """What one process knows of the others; all know their own `rank`, and rank 0 the rest.

    `fail` is called in another thread, at most once, with what ended the first worker that failed;
    it should not return.
    """

    def __init__(self, size: int, folder: Path, fail: Callable[[dict[str, str]], None]) -> None:
        self.rank = 0
        self._folder = folder
        self._fail = fail
        self._workers: dict[int, int] = {}  # process ids by rank
        self._codes: dict[int, int] = {}
        self._changed = threading.Condition()
        self._ending = False
        if size > 1:
            self._fork(size)

    def wait(self) -> dict[str, str] | None:
        """Wait for all others to end; what ended the first that did not end well, if one did."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._codes) == len(self._workers))
            self._ending = True
            return self._first_failure(cancelled_too=True)

    def end(self, *, kindly: bool = False) -> dict[str, str] | None:
        """End the others, with time to clean up if `kindly`; what ended one that failed before us.

        Rank 0 calls it when its own part has not ended well.
        """
        with self._changed:
            if self._workers and not kindly:
                self._changed.wait_for(lambda: self._first_failure() is not None, _PATIENCE_S)
            self._ending = True
            failed = self._first_failure()
            self._signal(signal.SIGTERM if kindly else signal.SIGKILL)
            self._changed.wait_for(lambda: len(self._codes) == len(self._workers))
        return None if kindly else failed

    def leave(self, failure: dict[str, str]) -> None:
        """Tell rank 0 what ended this worker."""
        note = self._note(self.rank)
        part = note.with_suffix(".part")
        part.write_text(json.dumps(failure))
        part.rename(note)

    def _fork(self, size: int) -> None:
        runner = os.getpid()
        os.environ.update(
            MASTER_ADDR="127.0.0.1",
            MASTER_PORT=str(_free_port()),
            WORLD_SIZE=str(size),
            LOCAL_WORLD_SIZE=str(size),
            RANK="0",
            LOCAL_RANK="0",
        )
        for rank in range(1, size):
            pid = os.fork()
            if pid == 0:
                self.rank, self._workers = rank, {}
                os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), MUTE_VARIABLE: "1"}
                if os.getppid() != runner:
                    os._exit(1)  # it died before we could ask to die with it
                return
            self._workers[rank] = pid
        for rank, pid in self._workers.items():
            threading.Thread(target=self._watch, args=(rank, pid), daemon=True).start()

    def _watch(self, rank: int, pid: int) -> None:
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        with self._changed:
            self._codes[rank] = code
            self._changed.notify_all()
            if code in (0, _CANCELLED) or self._ending:
                return
            failure = self._failure(rank, code)
            self._ending = True
            self._signal(signal.SIGKILL)
        self._fail(failure)

    def _first_failure(self, *, cancelled_too: bool = False) -> dict[str, str] | None:
        fine = (0,) if cancelled_too else (0, _CANCELLED)
        failed = [(rank, code) for rank, code in self._codes.items() if code not in fine]
        return self._failure(*failed[0]) if failed else None

    def _failure(self, rank: int, code: int) -> dict[str, str]:
        """What a worker left, or how it died."""
        told: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            told = json.loads(self._note(rank).read_text())
        how = f"was killed by signal {-code}" if code < 0 else f"exited with status {code}"
        message = f"worker {rank}: {told['message']}" if told else f"worker {rank} {how}"
        return {"type": "WorkerFailed", "traceback": "", **told, "message": message}

    def _signal(self, number: signal.Signals) -> None:
        """To all whose end nobody has seen: their numbers are still theirs."""
        for rank in self._workers.keys() - self._codes.keys():
            with suppress(ProcessLookupError):
                os.kill(self._workers[rank], number)

    def _note(self, rank: int) -> Path:
        return self._folder / f"failure.rank-{rank}.json"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
