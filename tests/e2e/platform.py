"""`hansard up` in a process of its own, and ways to kill what it runs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

import hansard

PARTS = Path(__file__).with_name("parts")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Up:
    """A platform that runs."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    url: str
    token: str

    def client(self) -> hansard.Client:
        """A client of it."""
        return hansard.Client(self.url, self.token)

    def find(self, *words: str) -> psutil.Process:
        """The one process of this platform whose command line holds all the words."""
        return eventually(lambda: self._find(words), f"a process with {words}")

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """A JSON answer of the API."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = httpx.get(f"{self.url}{path}", params=params, headers=headers, timeout=10)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def command(self, *arguments: str) -> dict[str, Any]:
        """The JSON answer of a `hansard` command on this data folder."""
        done = subprocess.run(
            [hansard_command(), *arguments, "--json", "--data-dir", str(self.folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def processes(self) -> list[psutil.Process]:
        """All processes of the platform but `hansard up` itself."""
        return _descendants(self.process.pid)

    def _find(self, words: tuple[str, ...]) -> psutil.Process | None:
        for process in self.processes():
            try:
                line = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if all(word in line for word in words):
                return process
        return None


def _descendants(pid: int) -> list[psutil.Process]:
    """Processes that `hansard up` or one of its descendants started, re-parented ones too."""
    mark = f"{pid}:"
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("HANSARD_SUPERVISOR", "").startswith(mark)
            if ours or process.ppid() == pid:
                for each in (process, *process.children(recursive=True)):
                    found[each.pid] = each
        except psutil.Error:
            continue
    return list(found.values())


@contextmanager
def platform(folder: Path, backend: str, **environment: str) -> Iterator[Up]:
    """A platform on a new folder; at the end it is stopped, and must leave nothing behind."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "up.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [hansard_command(), "up", "--data-dir", str(folder), "--backend", backend],
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    try:
        eventually((folder / "server.json").exists, f"a platform; see {log}", 120)
        known = json.loads((folder / "client.json").read_text())
        up = Up(folder, process, known["url"], known["token"])
        eventually(lambda: _is_ready(up), "readiness", 90)
        yield up
    finally:
        left = _descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    eventually(lambda: not alive_of(left), "the end of all processes", 20)


def alive_of(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run."""
    return [process for process in processes if _alive(process)]


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _is_ready(up: Up) -> bool:
    try:
        answer = httpx.get(f"{up.url}/readyz", timeout=5)
    except httpx.HTTPError:
        return False
    return answer.status_code == 200 and answer.json()["nodes"] > 0


def eventually(look: Callable[[], _T | None], what: str, timeout_s: float = 30.0) -> _T:
    """What `look` finds, as soon as it finds something. Fails after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout_s} s for {what}")


def hansard_command() -> str:
    """The installed command."""
    return str(Path(sys.executable).with_name("hansard"))
