"""`hansard up` in a process of its own, as a user starts it, and jobs to run on it."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

import hansard

_JOBS = Path(__file__).with_name("jobs")
_POLL_S = 0.01
_PATIENCE_S = 90.0


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform that answers."""

    process: "subprocess.Popen[bytes]"
    client: hansard.Client
    token: str
    http: httpx.Client
    """The same address and token, for requests without the client's own look-ups."""
    started_at: float
    """Monotonic time at which the command was given."""
    ready_s: float
    """Seconds from then until `/readyz` said yes."""


@contextmanager
def running_platform(folder: Path, backend: str) -> Iterator[Platform]:
    """`hansard up` on a data folder until the end of the block; `ray` or `local`."""
    (folder / "client.json").unlink(missing_ok=True)
    command = [str(Path(sys.executable).with_name("hansard")), "up"]
    started_at = time.monotonic()
    with (folder.parent / "up.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--data-dir", str(folder), "--backend", backend], stdout=log, stderr=log
        )
    try:
        url, token = _address(folder / "client.json", process)
        headers = {"Authorization": f"Bearer {token}"}
        with hansard.Client(url, token) as client, httpx.Client(base_url=url, headers=headers) as h:
            until(lambda: _ready(h), process)
            yield Platform(process, client, token, h, started_at, time.monotonic() - started_at)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@dataclass(frozen=True, slots=True)
class Job:
    """An executor of the folder `jobs`, pushed, and an experiment to run it in."""

    platform: Platform
    executor: str
    experiment: str

    @classmethod
    def push(cls, platform: Platform, name: str) -> "Job":
        """Push it, unless its version is there already."""
        version = platform.client.push(_JOBS / name)
        experiment = platform.client.experiments.find("bench")
        experiment = experiment or platform.client.experiments.create("bench")
        return cls(platform, version.id, experiment.id)

    def request(self, **parameters: float) -> str:
        """Ask for a run in one request, and answer its id."""
        body = {
            "executor": self.executor,
            "experiment": self.experiment,
            "parameters": parameters,
        }
        answer = self.platform.http.post("/v1/runs", json=body).raise_for_status().json()
        # Until reads show it: the client waits for what it has written itself only.
        query = {"min_position": answer["position"]}
        self.platform.http.get(f"/v1/runs/{answer['id']}", params=query).raise_for_status()
        return str(answer["id"])

    def succeeded(self, run_id: str) -> hansard.Run:
        """The run once it has ended well."""
        run = self.platform.client.wait(run_id, _PATIENCE_S)
        assert run.status == "succeeded", f"the run has {run.status}: {run.reason} {run.failure}"
        return run


def until(done: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    """Wait until something is done, while the platform's process lives."""
    deadline = time.monotonic() + _PATIENCE_S
    while not done():
        assert process.poll() is None, "`hansard up` has ended: see its log"
        assert time.monotonic() < deadline, "the platform takes too long"
        time.sleep(_POLL_S)


def until_cached() -> None:
    """Wait for the copies to the cache that go on after a pull."""
    for thread in threading.enumerate():
        if thread.name == "hansard-cache":
            thread.join()


def _address(path: Path, process: "subprocess.Popen[bytes]") -> tuple[str, str]:
    until(path.exists, process)
    known = json.loads(path.read_text())
    return known["url"], known["token"]


def _ready(http: httpx.Client) -> bool:
    try:
        return http.get("/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
