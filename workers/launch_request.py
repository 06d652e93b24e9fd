"""Asks the launch service of this node to execute an attempt, and waits for its end.

Who asks holds the room of the attempt, such as a Ray worker. The attempt ends with the connection,
so with whoever asks.
"""

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from infra.surroundings import WORK_VARIABLE
from workers.launch_spec import LaunchSpec

SOCKET = "launch.sock"
PATIENCE_S = 20.0
DEVICES_VARIABLE = "CUDA_VISIBLE_DEVICES"

_PAUSE_S = 0.1


class NotLaunched(Exception):
    """The attempt was refused, or could not be told of; says why."""


def ask_to_launch(spec: LaunchSpec) -> None:
    """Returns when the end of the attempt is told. Raises NotLaunched, and OSError without service.

    The step sees the devices that we were given, and none if it asks for none.
    """
    work = Path(os.environ.get(WORK_VARIABLE) or spec.work)
    devices = os.environ.get(DEVICES_VARIABLE, "") if spec.gpus else ""
    with _connected(work) as connection:
        request = json.dumps({"spec": spec.to_json(), "devices": devices})
        connection.sendall(request.encode() + b"\n")
        with connection.makefile("rb") as answers:
            answer = answers.readline()
    if not answer:
        raise NotLaunched("the launcher died")
    told: dict[str, Any] = json.loads(answer)
    if told["error"] is not None:
        raise NotLaunched(told["error"])


def socket_address(work: int) -> str:
    """The socket in a folder that is open: paths of sockets may not be long, this one never is."""
    return f"/proc/self/fd/{work}/{SOCKET}"


def _connected(work: Path) -> socket.socket:
    """A connection; a service that is just being replaced is waited for."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            _connect(connection, work)
        except OSError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return connection


def _connect(connection: socket.socket, work: Path) -> None:
    folder = os.open(work, os.O_PATH | os.O_CLOEXEC)
    try:
        connection.connect(socket_address(folder))
    finally:
        os.close(folder)
