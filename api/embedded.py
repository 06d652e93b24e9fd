"""`hansard up`: real servers and all of Hansard's processes on this machine, in one data folder."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from api.bootstrap import begin, create_streams
from infra.disk_space import FullDiskPassed
from infra.embedded.child import spawn
from infra.embedded.data_folder import DataFolder
from infra.embedded.nats import NatsServer
from infra.embedded.postgres import PostgresServer
from infra.embedded.ray_node import RayNode
from infra.embedded.supervisor import Service, Supervisor
from infra.embedded.supervisor_mark import VARIABLE, supervisor_mark
from infra.event_log.errors import LogUnavailable
from infra.nats_connection import connect
from infra.node_resources import node_resources
from infra.settings import Settings

_SERVER_FILE = "server.json"
_BEGINNING_S = 10.0
_PROCESSES = {
    "api": "api.main",
    "projector": "projections.main",
    "agent": "workers.agent",
    "dispatcher": "workers.main",
    "custodian": "workers.custodian",
}


class Embedded:
    """What `hansard up` runs. Servers whose address is set are somebody else's, and not started."""

    def __init__(self, folder: DataFolder, settings: Settings) -> None:
        self.folder = folder
        self.settings = settings
        self.port = settings.port or folder.port("api")
        host = settings.cluster or "127.0.0.1"
        self._nats = NatsServer(folder, host=host) if not settings.nats_url else None
        self._postgres = PostgresServer(folder) if not settings.postgres_url else None
        own_ray = settings.backend == "ray" and not settings.ray_address
        room = node_resources(settings.slots, settings.gpus)
        self._ray = (
            RayNode(
                folder,
                node=settings.node,
                cpus=room.cpus,
                gpus=room.gpus,
                cluster=settings.cluster,
            )
            if own_ray
            else None
        )
        self._begun = False

    @property
    def url(self) -> str:
        """Where the API answers."""
        host = self.settings.address
        host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104
        return f"http://{host}:{self.port}"

    @property
    def exposed(self) -> bool:
        """Whether ports of Ray can be reached from other machines, with its token."""
        return self._ray is not None and not self._ray.apart

    @property
    def client_file(self) -> Path:
        """Address and first token for clients of this user, mode 0600."""
        return self.folder.path / "client.json"

    def run(self, on_ready: Callable[[], None]) -> None:
        """Supervise everything until SIGTERM or SIGINT."""
        os.environ[VARIABLE] = supervisor_mark(os.getpid())
        try:
            Supervisor(self._services()).run(on_ready)
        finally:
            (self.folder.path / _SERVER_FILE).unlink(missing_ok=True)

    def _remember(self) -> None:
        """Keep the processes' settings for commands that are run beside them, mode 0600."""
        told = {n: v for n, v in self._environment().items() if n.startswith("HANSARD_")}
        _write_private(self.folder.path / _SERVER_FILE, json.dumps(told))

    def _services(self) -> list[Service]:
        services = []
        if self._nats is not None:
            server = self._nats.service()
            ready = self._nats.is_ready
            full_disk_passed = FullDiskPassed(self.folder.path, self.settings.min_free_mb << 20)
            services.append(
                Service(
                    "nats",
                    server.start,
                    lambda: ready() and self._begin(),
                    server.stop_signals,
                    healthy=lambda: not full_disk_passed(),
                )
            )
        else:
            self._begin()
        if self._postgres is not None:
            services.append(self._postgres.service())
        after = [service.name for service in services]
        services += [self._process(name, module, after) for name, module in _PROCESSES.items()]
        if self._ray is not None:
            # Ray takes seconds: the platform is ready without it, and runs wait for it.
            services.append(self._ray.service())
        return services

    def _process(self, name: str, module: str, after: list[str]) -> Service:
        def start() -> "subprocess.Popen[bytes]":
            self._remember()
            return spawn(
                [sys.executable, "-m", module],
                env={**os.environ, **self._environment()},
                cwd=self.folder.path,
                log=self.folder.log(name),
                death_signal=signal.SIGKILL,
            )

        return Service(name, start, self._answers if name == "api" else None, after=after)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.settings.address, self.port), timeout=0.2):
                return True
        except OSError:
            return False

    def _environment(self) -> dict[str, str]:
        """Settings of the processes: addresses with credentials travel in the environment only."""
        found = {
            "HANSARD_DATA_DIR": str(self.folder.path),
            "HANSARD_HOST": self.settings.host,
            "HANSARD_CLUSTER": self.settings.cluster,
            "HANSARD_PORT": str(self.port),
            "HANSARD_API_URL": self.url,
            "HANSARD_SECRET": self.settings.secret or self.folder.credential("cursor"),
            "HANSARD_BACKEND": self.settings.backend,
            "HANSARD_NODE": self.settings.node,
        }
        if self._nats is not None:
            for variable, user in (
                ("HANSARD_NATS_URL", "writer"),
                ("HANSARD_NATS_READER_URL", "reader"),
                ("HANSARD_NATS_TELEMETRY_URL", "telemetry"),
            ):
                found[variable] = self._nats.url(user)
        if self._postgres is not None:
            found["HANSARD_POSTGRES_URL"] = self._postgres.url()
        if self._ray is not None:
            found |= self._ray.environment
            found["HANSARD_RAY_ADDRESS"] = self._ray.address
            found["HANSARD_RAY_NETWORK"] = str(self._ray.network_file) if self._ray.apart else ""
        return found

    def _begin(self) -> bool:
        """Once per start: streams, the first records, and the file for clients."""
        if not self._begun:
            try:
                token = asyncio.run(asyncio.wait_for(self._record_beginning(), _BEGINNING_S))
            except (TimeoutError, LogUnavailable):
                return False  # the broker went away meanwhile, and is started again
            _write_private(self.client_file, json.dumps({"url": self.url, "token": token}))
            self._begun = True
        return True

    async def _record_beginning(self) -> str:
        url = self._nats.url("admin") if self._nats else self.settings.nats_admin_url
        client = await connect(url or self.settings.nats_url, "up")
        try:
            await create_streams(client, self.settings.nats_replicas)
            return await begin(client, self.folder.credential("first-token"))
        finally:
            await client.close()


def _write_private(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    partial.rename(path)


def running_settings(data_dir: Path | None) -> Settings:
    """Settings of the platform on a data folder (or of external servers), for commands beside it.

    Raises FileNotFoundError, with what to do, where no platform was started.
    """
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    if settings.nats_reader_url and settings.postgres_url:
        return settings
    path = settings.folder / _SERVER_FILE
    if not path.exists():
        raise FileNotFoundError(f"no platform runs on {settings.folder}: start `hansard up` first")
    told = json.loads(path.read_text())
    return Settings.model_validate(
        {name.removeprefix("HANSARD_").lower(): value for name, value in told.items()}
    )
