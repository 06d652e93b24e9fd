"""Places attempts on Ray, through a driver in a process of its own, in the network of Ray.

When Ray's head dies its driver hangs for a minute and then exits, so the driver is kept out of the
dispatcher: it must give a sign of life, and is replaced when it is silent. A driver whose
dispatcher has died goes on until its attempts have ended.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from typing import IO

import orjson
import structlog

from infra.embedded.child import trampoline
from infra.embedded.network import noted
from infra.surroundings import ray_surroundings
from workers.backends.backend import PlacementFailure
from workers.launch_spec import LaunchSpec

SILENT_S = 5.0
STARTING_S = 60.0
RESTART_EVERY_S = 1.0

_log = structlog.get_logger(__name__)


class RayBackend:
    """Talks to a driver in lines of JSON over its standard streams."""

    name = "ray"
    doubt_s = SILENT_S + 1.0

    def __init__(self, address: str, log: Path, network: Path | None = None) -> None:
        """`network` is the file that names the process in whose network Ray is."""
        self._address = address
        self._log_path = log
        self._network = network
        self._driver: _Driver | None = None
        self._started_at = 0.0
        self._placed: set[tuple[str, int]] = set()

    @property
    def ready(self) -> bool:
        """Whether the driver is connected and lively."""
        return self._driver is not None and self._driver.ready

    def launch(self, spec: LaunchSpec) -> None:
        """Hand the attempt to the driver."""
        assert self._driver is not None
        self._placed.add((spec.run, spec.attempt))
        self._driver.send(spec)

    def tick(self) -> list[PlacementFailure]:
        """Replace a driver that has died or fallen silent; its attempts are lost with it."""
        failures: list[PlacementFailure] = []
        if self._driver is not None:
            failures += self._driver.failures()
            for attempt in self._driver.ended():
                self._placed.discard(attempt)
            if self._driver.gone:
                _log.warning("ray_driver_replaced", pid=self._driver.pid)
                self._driver.kill()
                self._driver = None
                reason = "Ray, or its driver, went away"
                failures += [PlacementFailure(run, n, reason) for run, n in self._placed]
                self._placed.clear()
        if self._driver is None and time.monotonic() - self._started_at > RESTART_EVERY_S:
            self._started_at = time.monotonic()
            self._driver = self._start()
        return failures

    def _start(self) -> "_Driver | None":
        """A new driver; none while Ray's own network is not there."""
        command = [sys.executable, "-m", "workers.ray_driver", self._address]
        if self._network is not None:
            if not (process := noted(self._network)):
                return None
            command = trampoline(command, network=process)
        return _Driver(command, self._log_path)

    def close(self) -> None:
        """End the driver's input: it goes on until its attempts have ended."""
        if self._driver is not None:
            self._driver.close()


class _Driver:
    """One driver process."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._started_at = time.monotonic()
        self._heard_at: float | None = None
        self._failures: list[PlacementFailure] = []
        self._ended: list[tuple[str, int]] = []
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
                env={**ray_surroundings(), "RAY_LOG_TO_DRIVER": "0"},
            )
        assert self._process.stdout is not None
        Thread(target=self._listen, args=(self._process.stdout,), daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ready(self) -> bool:
        return self._heard_at is not None and not self.gone

    @property
    def gone(self) -> bool:
        """Dead, silent for too long, or not connected in time."""
        if self._process.poll() is not None:
            return True
        now = time.monotonic()
        if self._heard_at is None:
            return now - self._started_at > STARTING_S
        return now - self._heard_at > SILENT_S

    def send(self, spec: LaunchSpec) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(spec.to_json().encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            reason = "the Ray driver has died"
            self._failures.append(PlacementFailure(spec.run, spec.attempt, reason))

    def failures(self) -> list[PlacementFailure]:
        found, self._failures = self._failures, []
        return found

    def ended(self) -> list[tuple[str, int]]:
        found, self._ended = self._ended, []
        return found

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def _listen(self, output: IO[bytes]) -> None:
        for line in output:
            told = orjson.loads(line)
            self._heard_at = time.monotonic()
            if "ended" in told:
                run, attempt = told["ended"]
                self._ended.append((run, attempt))
            if "failed" in told:
                run, attempt, reason = told["failed"]
                self._failures.append(PlacementFailure(run, attempt, reason))
