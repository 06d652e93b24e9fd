"""The runner's process: started in its own session with a cleared environment, and ended."""

import fcntl
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

from hansard.run_log import STEP_DIR_VARIABLE
from workers.launch_spec import LaunchSpec
from workers.stragglers import kill_stragglers

_PIPE_BYTES = 1024 * 1024
_HASH_SEEDS = 2**32
_INHERITED = ("CUDA_VISIBLE_DEVICES",)
"""What the backend decides for the step: which accelerators it sees."""


def step_environment(spec: LaunchSpec, python: Path, step: Path) -> dict[str, str]:
    """All environment variables of the step, nothing of which comes from ours unless listed."""
    threads = str(spec.threads)
    return {
        "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(step),
        "TMPDIR": str(step / "tmp"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": str(spec.seed % _HASH_SEEDS),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "NUMEXPR_NUM_THREADS": threads,
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        STEP_DIR_VARIABLE: str(step),
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
    }


class StepProcess:
    """A started runner: nothing of it is alive after the block.

    It dies with the thread that started it (the runner asks for that).
    """

    def __init__(self, python: Path, step: Path, environment: dict[str, str]) -> None:
        self._step = step
        # -P: nothing that lies in the step's folder shadows a module of the runner.
        self._process = subprocess.Popen(
            [python, "-P", "-m", "hansard.runner"],
            cwd=step,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.streams = {"stdout": self._process.stdout, "stderr": self._process.stderr}
        for stream in self.streams.values():
            with suppress(OSError):  # a system may allow no pipes of this size
                fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.ended = os.pidfd_open(self.pid)
        """Readable once the runner has ended."""

    @property
    def pid(self) -> int:
        """Process id, and number of its process group."""
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Signal the whole process group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def reap(self) -> int:
        """Kill what is left of the step, and answer the runner's exit code (-N for signal N)."""
        self.signal(signal.SIGKILL)  # before the wait: until then the group's number is ours
        code = self._process.wait()
        kill_stragglers(self._step)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self.reap()
        for stream in self.streams.values():
            stream.close()
        os.close(self.ended)
