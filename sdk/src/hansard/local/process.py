"""Runs a step's process on this machine: its output and metrics are shown and kept in files."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO

from hansard.formats.points_reader import Reader
from hansard.run_log import STEP_DIR_VARIABLE

METRICS_NAME = "metrics.csv"
GRACE_S = 10.0

_TICK_S = 0.2
_CREDENTIALS = ("HANSARD_TOKEN", "HANSARD_PASSWORD", "HANSARD_NEW_PASSWORD")

Show = Callable[[str], None]


def execute(folder: Path, python: str, seed: int, show: Show) -> int:
    """Run the step laid out in a folder to its end; answers its exit code (-N for signal N).

    What it prints goes to our own streams and to `stdout.log` and `stderr.log`, its metrics to
    `show` and `metrics.csv`. An interrupt stops the step first, and is raised again afterwards.
    """
    process = subprocess.Popen(
        [python, "-P", "-m", "hansard.runner"],
        cwd=folder,
        env=_environment(folder, python, seed),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # an interrupt is for us, who ask the step to stop
    )
    assert process.stdout is not None
    assert process.stderr is not None
    copies = [
        _copying(process.stdout, 1, folder / "stdout.log"),
        _copying(process.stderr, 2, folder / "stderr.log"),
    ]
    metrics = _Metrics(folder, show)
    try:
        with _stopped(process):
            while process.poll() is None:
                metrics.follow()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_TICK_S)
    finally:
        _kill(process)
        for copy in copies:
            copy.join(GRACE_S)
        metrics.follow()
        metrics.close()
    return process.returncode


class _Metrics:
    """Follows the step's points: every one is kept, the newest of each tick is shown."""

    def __init__(self, folder: Path, show: Show) -> None:
        self._reader = Reader(folder)
        self._show = show
        self._file: IO[str] = (folder / METRICS_NAME).open("x", encoding="utf-8", newline="")
        self._file.write("key,step,value,unix_ms\n")

    def follow(self) -> None:
        newest: dict[str, tuple[int, float]] = {}
        while batches := self._reader.read_new():
            for column in (column for batch in batches for column in batch.columns()):
                key = '"' + column.key.replace('"', '""') + '"'
                for step, value, at in zip(column.steps, column.values, column.times, strict=True):
                    self._file.write(f"{key},{step},{value!r},{at}\n")
                newest[column.key] = (column.steps[-1], column.values[-1])
        for name, (step, value) in newest.items():
            self._show(f"{name} = {value:.6g} at step {step}")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


@contextmanager
def _stopped(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """When interrupted, let the step clean up for a while before the interrupt goes on."""
    try:
        yield
    except KeyboardInterrupt:
        with suppress(subprocess.TimeoutExpired):
            _signal(process, signal.SIGTERM)
            process.wait(GRACE_S)
        raise


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Nothing of the step goes on: what it started is in its process group."""
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _copying(source: IO[bytes], descriptor: int, path: Path) -> threading.Thread:
    """A thread that copies a pipe to one of our streams and to a file."""
    file = path.open("xb", buffering=0)
    thread = threading.Thread(target=_copy, args=(source, descriptor, file), daemon=True)
    thread.start()
    return thread


def _copy(source: IO[bytes], descriptor: int, file: BinaryIO) -> None:
    with source, file:
        while piece := os.read(source.fileno(), 1 << 16):
            file.write(piece)
            with suppress(OSError):  # nobody reads our output any more: the file goes on
                os.write(descriptor, piece)


def _environment(folder: Path, python: str, seed: int) -> dict[str, str]:
    """Ours, without credentials, and with what a step has on a node."""
    kept = {name: value for name, value in os.environ.items() if name not in _CREDENTIALS}
    return {
        **kept,
        "PATH": os.pathsep.join((str(Path(python).parent), os.environ.get("PATH", os.defpath))),
        STEP_DIR_VARIABLE: str(folder.resolve()),
        "TMPDIR": str((folder / "tmp").resolve()),
        "PYTHONHASHSEED": str(seed % 2**32),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
