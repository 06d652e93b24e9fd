"""An executor that runs a command in a copy of its folder: what code runs are made of."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hansard.errors import Cancelled, CommandFailed
from hansard.roles import Executor
from hansard.run_log import MUTE_VARIABLE, STEP_DIR_VARIABLE

OUTPUTS_VARIABLE = "HANSARD_OUTPUTS"
MAX_WORDS = 256
MAX_COMMAND_CHARS = 32 * 1024

_GRACE_S = 8.0
_WORK = "work"
_OUTPUTS = "outputs"


class Command(Executor):
    """``execute`` runs a command where the files of the bundle lie, in the step's environment.

    The command may log as any step does. Each file that it leaves in ``outputs`` (also in
    HANSARD_OUTPUTS) is logged under its path there.
    """

    def execute(self, command: list[str]) -> dict[str, Any]:
        """Run the command. Raises CommandFailed unless it exits with status 0, ValueError."""
        _check(command)
        step = os.environ.get(STEP_DIR_VARIABLE)
        if step is None:
            raise CommandFailed("a command runs within a run: see `hansard run-code`")
        worker = os.environ.get("RANK", "") if os.environ.get(MUTE_VARIABLE) else ""
        work = Path(step) / f"{_WORK}{worker}"
        source = sys.modules[type(self).__module__].__file__
        assert source is not None
        shutil.copytree(Path(source).parent, work, symlinks=True)
        outputs = work / _OUTPUTS
        outputs.mkdir(exist_ok=True)
        try:
            _run(command, work, outputs)
        finally:
            kept = _log_files(outputs)
        return {"outputs": kept}


def _check(command: Sequence[object]) -> None:
    if not command or not all(isinstance(word, str) and "\0" not in word for word in command):
        raise ValueError("a command is a list of words, the first of which names a program")
    if len(command) > MAX_WORDS or len("".join(map(str, command))) > MAX_COMMAND_CHARS:
        raise ValueError(f"a command has at most {MAX_WORDS} words, {MAX_COMMAND_CHARS} characters")


def _run(command: Sequence[str], work: Path, outputs: Path) -> None:
    try:
        process = subprocess.Popen(
            command, cwd=work, env={**os.environ, OUTPUTS_VARIABLE: str(outputs)}
        )
    except OSError as error:
        raise CommandFailed(f"`{command[0]}` cannot be started: {error.strerror}") from None
    try:
        code = process.wait()
    except Cancelled:  # the command got the signal too: let it end as we would
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
        raise
    finally:
        process.kill()
        process.wait()
    if code != 0:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"left status {code}"
        raise CommandFailed(f"`{' '.join(command)[:500]}` {how}")


def _log_files(outputs: Path) -> int:
    """Keep each file with the run; answers how many."""
    from hansard.media import log_file  # noqa: PLC0415 - needs numpy, which a command may not

    found = 0
    for path in _files(outputs):
        log_file(path, path.relative_to(outputs).as_posix())
        found += 1
    return found


def _files(folder: Path) -> Iterator[Path]:
    """The plain files below a folder in the order of their names, without links."""
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            yield from _files(Path(entry.path))
        elif stat.S_ISREG(mode):
            yield Path(entry.path)
