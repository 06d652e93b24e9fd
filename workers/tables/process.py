"""Starts the process that looks into tables, and ends it when it takes too long."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

MAX_ANSWER_BYTES = 256 << 20
_MAX_THREADS = 4
"""Each thread of polars reserves address space, which is what the memory limit counts."""


class TablesFailed(Exception):
    """The tables were not looked into; the message is a sentence that says why."""


def run_tables(request: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
    """The answer of `workers.tables.main` to the request (see there), in at most `timeout_s`.

    Raises TablesFailed if there is none: an error, a crash, a limit or the timeout.
    """
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as told:
        asked.write(json.dumps(dict(request)).encode())
        asked.seek(0)
        code = _run(asked, told, timeout_s)
        if code != 0:
            raise TablesFailed(_in_words(code))
        return _answer(told)


def _run(asked: IO[bytes], told: IO[bytes], timeout_s: float) -> int:
    # -P: nothing that lies in the present folder shadows a module.
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "workers.tables.main"],
        stdin=asked,
        stdout=told,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,
    )
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise TablesFailed(f"looking into the tables took more than {timeout_s:g} s") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _environment() -> dict[str, str]:
    threads = str(min(_MAX_THREADS, os.cpu_count() or 1))
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TMPDIR": tempfile.gettempdir(),
        "PYTHONDONTWRITEBYTECODE": "1",
        "POLARS_MAX_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "RUST_BACKTRACE": "0",
        "MALLOC_ARENA_MAX": threads,
    }


def _answer(told: IO[bytes]) -> dict[str, Any]:
    if told.seek(0, os.SEEK_END) > MAX_ANSWER_BYTES:
        raise TablesFailed("the answer about the tables is too long")
    told.seek(0)
    try:
        answer: dict[str, Any] = json.load(told)
    except ValueError:
        raise TablesFailed("the process that looks into tables gave no answer") from None
    if "error" in answer:
        raise TablesFailed(str(answer["error"]))
    return answer


def _in_words(code: int) -> str:
    match -code:
        case signal.SIGXCPU:
            return "looking into the tables took more processor time than allowed"
        case signal.SIGABRT | signal.SIGSEGV | signal.SIGBUS:
            return "looking into the tables crashed, probably because memory ran out"
        case signal.SIGKILL:
            return "the process that looks into tables was killed, possibly as memory ran out"
        case number if number > 0:
            return f"the process that looks into tables was killed by signal {number}"
        case _:
            return f"the process that looks into tables ended with status {code}"
