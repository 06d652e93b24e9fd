"""A long-lived process of a peer: its interpreter and imports are up before anything is timed."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Child:
    """A process that obeys: see `bench.peers.obey`."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log
        self._answer()

    def ask(self, command: str, **arguments: Any) -> Any:
        """Have a command carried out; RuntimeError if the process ends on it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([command, arguments]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout is not None
        if line := self._process.stdout.readline():
            return line
        raise RuntimeError(f"a peer has ended:\n{self._log.read_text()[-2000:]}")


@contextmanager
def running_child(
    python: Path, module: str, folder: Path, variables: Mapping[str, str]
) -> Iterator[Child]:
    """A module of this package, obeying in a folder until the end of the block."""
    log = folder / f"{module}.log"
    with (
        log.open("ab") as errors,
        subprocess.Popen(
            [str(python), "-m", f"bench.peers.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env=variables,
            text=True,
        ) as process,
    ):
        yield Child(process, log)
