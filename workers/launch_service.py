"""The launch service of a node: forks a launcher for each one who asks, outside of Ray's network.

Whatever a launcher needs is loaded beforehand, so that one is there within milliseconds. The agent
keeps it running; launchers outlive it, as they outlive the agent.
"""

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import NoReturn

import workers.artifact_client
import workers.file_client  # noqa: F401 - loaded once, for all launchers
from infra.settings import Settings
from workers.launch_request import DEVICES_VARIABLE, SOCKET, socket_address
from workers.launch_spec import LaunchSpec
from workers.launcher import launch

_BACKLOG = 1024


def main() -> None:
    """Serve until killed."""
    settings = Settings()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for launchers
    with listening(settings.work) as listener:
        while True:
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    listener.close()
                    _become_launcher(connection, settings)


def listening(work: Path) -> socket.socket:
    """The socket in the folder of attempts, in place of that of a service before."""
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    listener = socket.socket(socket.AF_UNIX)
    folder = os.open(work, os.O_PATH | os.O_CLOEXEC)
    try:
        with suppress(FileNotFoundError):
            os.unlink(SOCKET, dir_fd=folder)
        listener.bind(socket_address(folder))
        os.chmod(SOCKET, 0o600, dir_fd=folder)
    finally:
        os.close(folder)
    listener.listen(_BACKLOG)
    return listener


def _become_launcher(connection: socket.socket, settings: Settings) -> NoReturn:
    """In the forked process: execute what is asked for, answer, and end."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 1
    try:
        _serve(connection, settings)
        status = 0
    except Exception as error:  # noqa: BLE001 - a process ends here, and nobody is above it
        sys.stderr.write(f"launch failed: {type(error).__name__}: {error}\n")
    finally:
        sys.stderr.flush()
        os._exit(status)


def _serve(connection: socket.socket, settings: Settings) -> None:
    with connection.makefile("rb") as lines:
        request = json.loads(lines.readline())
    os.environ[DEVICES_VARIABLE] = request["devices"]
    Thread(target=_end_with, args=(connection,), daemon=True).start()
    try:
        launch(_here(LaunchSpec.from_json(request["spec"]), settings))
        error = None
    except Exception as refusal:  # noqa: BLE001 - told to who asked
        error = f"{type(refusal).__name__}: {refusal}"
    with suppress(OSError):  # who asked is gone just now
        connection.sendall(json.dumps({"error": error}).encode() + b"\n")


def _here(spec: LaunchSpec, settings: Settings) -> LaunchSpec:
    """The specification with the folders of this node, and its way to the platform."""
    return replace(
        spec,
        work=str(settings.work),
        environments=str(settings.environments),
        api_url=settings.api_url or spec.api_url,
    )


def _end_with(connection: socket.socket) -> None:
    """End, and the step with us, as soon as who asked has gone."""
    with suppress(OSError):
        connection.recv(1)
    os._exit(1)


if __name__ == "__main__":
    main()
