"""Asks the reading process, starts it when it is needed, and another when it is gone."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore, Lock, Timer
from typing import Any

import orjson
import structlog

from domain.errors import Invalid
from hansard.formats.manifest import Manifest
from hansard.formats.problems import BundleError
from infra.bundle_reading.messages import read_message, write_messages

_log = structlog.get_logger(__name__)

AT_ONCE = 2
TIMEOUT_S = 30.0
"""Of one bundle on the clock; of processor time it has less."""

_ARGV = [sys.executable, "-I", "-m", "infra.bundle_reading.process"]
_LAST_S = 5.0
Process = subprocess.Popen[bytes]


class BundleReader:
    """Reads bundles with at most two processes, which stay for the next ones."""

    def __init__(self, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._room = BoundedSemaphore(AT_ONCE)
        self._lock = Lock()
        self._idle: list[Process] = []

    def read(self, data: bytes, below: Sequence[bytes] = ()) -> tuple[Manifest, dict[str, Any]]:
        """Manifest and signature of a packed bundle, with the bundles that it extends, if any.

        Raises BundleError and Invalid.
        """
        answer = None
        for _ in range(1 + AT_ONCE):  # those that were idle may have ended by themselves meanwhile
            with self._process() as process:
                answer = self._asked(process, [*below, data])
            if answer is not None or process.returncode != 0:
                break
        if answer is None:
            raise _too_much()
        found = orjson.loads(answer)
        if "refused" in found:
            raise _refusal(found["refused"])
        told = found["manifest"]
        manifest = Manifest(**{**told, "requirements": tuple(told["requirements"])})
        return manifest, found["signature"]

    def warm(self) -> None:
        """Start a process, which gets ready by itself, so that the first bundle need not wait."""
        with self._process():
            pass

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            _end(process)

    @contextmanager
    def _process(self) -> Iterator[Process]:
        """One that lives; it is kept if it still does afterwards."""
        with self._room:
            process = self._taken() or _start()
            try:
                yield process
            except BaseException:
                _end(process)
                raise
            if process.poll() is None:
                with self._lock:
                    self._idle.append(process)
            else:
                _end(process)

    def _taken(self) -> Process | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                process = self._idle.pop()
            if process.poll() is None:
                return process
            _end(process)

    def _asked(self, process: Process, bundles: Sequence[bytes]) -> bytes | None:
        """The answer; None from a process that ended, or was ended for taking too long."""
        assert process.stdin is not None
        assert process.stdout is not None
        timer = Timer(self._timeout_s, process.kill)
        timer.daemon = True
        timer.start()
        try:
            write_messages(process.stdin, bundles)  # type: ignore[arg-type]
            answer = read_message(process.stdout)  # type: ignore[arg-type]
        except OSError:
            answer = None
        finally:
            timer.cancel()
        if answer is None and _ended(process) != 0:
            size = sum(map(len, bundles))
            _log.warning("bundle_not_read", exit_code=process.returncode, bytes=size)
        return answer


def _start() -> Process:
    return subprocess.Popen(
        _ARGV, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}, cwd="/", bufsize=0
    )


def _end(process: Process) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    process.wait()


def _ended(process: Process) -> int:
    """Its exit status; one that hangs is killed."""
    try:
        return process.wait(timeout=_LAST_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _refusal(said: dict[str, Any]) -> Exception:
    match said["by"]:
        case "bundle":
            return BundleError(said["code"], said["detail"], said["where"])
        case "invalid":
            return Invalid(said["detail"], **said["context"])
        case _:
            return _too_much()


def _too_much() -> Invalid:
    detail = "reading these sources takes more time or memory than it may"
    return Invalid(detail, field="bundle")
