"""Runs a step's process on this machine: its output and metrics are shown and kept in files."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO

from hansard.formats.points_reader import Reader
from hansard.local.secrets import PREFIX
from hansard.run_log import STEP_DIR_VARIABLE
from hansard.secret import pack_secrets

METRICS_NAME = "metrics.csv"
GRACE_S = 10.0

_TICK_S = 0.2
_CREDENTIALS = ("HANSARD_TOKEN", "HANSARD_PASSWORD", "HANSARD_NEW_PASSWORD")

Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Given:
    """Values of secrets in the order of the places in `step.json`, and environment variables."""

    parameters: Sequence[str] = field(default=(), repr=False)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


def execute(folder: Path, python: str, seed: int, show: Show, given: Given = Given()) -> int:
    """Run the step laid out in a folder to its end; answers its exit code (-N for signal N).

    What it prints goes to our own streams and to `stdout.log` and `stderr.log`, its metrics to
    `show` and `metrics.csv`. An interrupt stops the step first, and is raised again afterwards.
    """
    process = subprocess.Popen(
        [python, "-P", "-m", "hansard.runner"],
        cwd=folder,
        env=_environment(folder, python, seed, given.variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # an interrupt is for us, who ask the step to stop
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with suppress(BrokenPipeError), process.stdin as secrets:
        secrets.write(pack_secrets(given.parameters) if given.parameters else b"")
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


def _environment(folder: Path, python: str, seed: int, given: Mapping[str, str]) -> dict[str, str]:
    """Ours, without credentials, those that were given, and what a step has on a node."""
    kept = {name: value for name, value in os.environ.items() if not _is_credential(name)}
    return {
        **kept,
        **given,
        "PATH": os.pathsep.join((str(Path(python).parent), os.environ.get("PATH", os.defpath))),
        STEP_DIR_VARIABLE: str(folder.resolve()),
        "TMPDIR": str((folder / "tmp").resolve()),
        "PYTHONHASHSEED": str(seed % 2**32),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _is_credential(name: str) -> bool:
    return name in _CREDENTIALS or name.startswith(PREFIX)
