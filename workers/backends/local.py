"""Places attempts as processes of this machine: for tests, laptops, and where Ray is not wanted."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from infra.surroundings import launcher_surroundings
from workers.backends.backend import PlacementFailure
from workers.launch_spec import LaunchSpec, pass_spec


class LocalBackend:
    """One launcher process per attempt; it outlives the dispatcher, and its agent adopts it."""

    name = "local"
    ready = True
    doubt_s = 0.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._launchers: dict[tuple[str, int], subprocess.Popen[bytes]] = {}

    def launch(self, spec: LaunchSpec) -> None:
        """Start a launcher; what it is to know is passed in memory, for it alone."""
        descriptor = pass_spec(spec)
        with closing(os.fdopen(descriptor)), (self._folder / "launchers.log").open("ab") as log:
            self._launchers[spec.run, spec.attempt] = subprocess.Popen(
                [sys.executable, "-m", "workers.launcher", str(descriptor)],
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=launcher_surroundings(),
            )

    def tick(self) -> list[PlacementFailure]:
        """Reap launchers. One that failed to launch says so by its exit status."""
        failures = []
        for (run, attempt), process in list(self._launchers.items()):
            status = process.poll()
            if status is None:
                continue
            del self._launchers[run, attempt]
            if status != 0:
                reason = f"the launcher ended with status {status}"
                failures.append(PlacementFailure(run, attempt, reason))
        return failures

    def close(self) -> None:
        """Nothing to let go of: launchers are on their own."""
