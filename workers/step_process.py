"""The runner's process: started in its own session, in its sandbox, and ended."""

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Self

from hansard.secret import pack_secrets
from workers.sandbox.sandbox import Box, Sandbox
from workers.stragglers import kill_stragglers

_PIPE_BYTES = 1024 * 1024
_GATE = 'read -r _ && exec "$@" </dev/null'
"""Waits until its limits are set, which then hold for all that it becomes and starts."""
_GATE_WITH_SECRETS = 'read -r _ && exec "$@"'
"""What follows the line, the values of secrets, is for the runner."""


class StepProcess:
    """A started runner: nothing of it is alive after the block.

    It dies with the thread that started it (the runner asks for that).
    """

    def __init__(self, sandbox: Sandbox, box: Box, secrets: Sequence[str] = ()) -> None:
        """`secrets` reach the runner by its standard input alone, and go with what is read."""
        gate = _GATE_WITH_SECRETS if secrets else _GATE
        self._sandbox = sandbox
        self.step = box.step
        self.bounds = box.bounds
        # -P: nothing that lies in the step's folder shadows a module of the runner.
        runner = [str(box.python), "-P", "-m", "hansard.runner"]
        with sandbox.command(runner, box) as command, _sigterm_blocked():
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", gate, "step", *command.words],
                cwd=box.step,
                env=command.variables,
                pass_fds=command.descriptors,
                stdin=subprocess.PIPE,
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
        self.bounds.set_on(self.pid)
        self._open_gate(pack_secrets(secrets) if secrets else b"")

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
        self.bounds.kill()
        code = self._process.wait()
        kill_stragglers(self.step)
        return self._sandbox.exit_code(code)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self.reap()
        for stream in self.streams.values():
            stream.close()
        os.close(self.ended)

    def _open_gate(self, then: bytes) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as gate:
            gate.write(b"\n" + then)


@contextmanager
def _sigterm_blocked() -> Iterator[None]:
    """What is started within the block has SIGTERM blocked until it says otherwise.

    The runner does; bubblewrap does not, so that a signal to the group is for the runner alone.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with ExitStack() as stack:
        stack.callback(signal.pthread_sigmask, signal.SIG_SETMASK, before)
        yield
