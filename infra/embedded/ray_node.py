"""The embedded Ray: a head node with token authentication that dies with its parent.

Ray's processes listen on more addresses than they are told to. So where the system allows it they
live in a network of their own, with nothing but a loopback; only drivers join them there. Steps are
started outside of it. Elsewhere nothing of it is reachable without the token.
"""

import json
import os
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from hashlib import sha256
from pathlib import Path

from infra.embedded import network
from infra.embedded.child import StartFailed, spawn
from infra.embedded.data_folder import DataFolder
from infra.embedded.supervisor import Service
from infra.surroundings import WORK_VARIABLE, ray_surroundings

_OBJECT_STORE_BYTES = 100 << 20  # nothing large travels through Ray's object store
_LONGEST_SOCKET_PATH = 40  # Ray appends up to 65 characters to it, and sockets end at 107


class _Ray(ABC):
    """`ray start`, supervised."""

    name = "ray"
    apart = False
    """Whether it lives in a network of its own."""

    def __init__(self, folder: DataFolder, *, node: str, cpus: int, gpus: int) -> None:
        self._folder = folder
        self._node = node
        self._cpus = cpus
        self._gpus = gpus

    @abstractmethod
    def _role(self) -> list[str]:
        """Arguments that say what this node is in its cluster."""

    @property
    def network_file(self) -> Path:
        """Names the process in whose network Ray lives, if it lives apart."""
        return self._folder.path / "ray-network"

    @property
    def environment(self) -> dict[str, str]:
        """What Ray and its drivers need to know of each other."""
        self._folder.credential("ray-token")
        return {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self._folder.path / "credentials" / "ray-token"),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_DEDUP_LOGS": "0",
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        }

    def service(self) -> Service:
        """For a Supervisor; whether it is ready is for drivers to find out."""
        return Service(self.name, self._spawn)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        temporary = self._temporary()
        temporary.mkdir(mode=0o700, exist_ok=True)
        if temporary.stat().st_uid != os.getuid():
            raise StartFailed(f"{temporary} belongs to somebody else")
        process = spawn(
            [
                str(Path(sys.executable).with_name("ray")),
                *("start", "--block", "--disable-usage-stats", *self._role()),
                *("--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"),
                f"--num-cpus={self._cpus}",
                f"--num-gpus={self._gpus}",
                f"--object-store-memory={_OBJECT_STORE_BYTES}",
                f"--temp-dir={temporary}",
                f"--resources={json.dumps({f'hansard:{self._node}': 1})}",
            ],
            env={
                **ray_surroundings(),
                **self.environment,
                WORK_VARIABLE: str(self._folder.folder("work")),
            },
            cwd=self._folder.path,
            log=self._folder.log(self.name),
            network=network.OWN if self.apart else "",
        )
        if self.apart:
            network.note(self.network_file, process.pid)
        return process

    def _temporary(self) -> Path:
        """Ray's sockets lie in here: a short path, private to this user and data folder."""
        inside = self._folder.path / "ray"
        if len(str(inside)) <= _LONGEST_SOCKET_PATH:
            return inside
        name = sha256(str(self._folder.path).encode()).hexdigest()[:8]
        return Path(f"/tmp/hansard-{os.getuid()}-{name}")  # noqa: S108 - made with mode 0700 below


class RayNode(_Ray):
    """The head, in a network of its own where that is possible and no other machine may join."""

    def __init__(
        self, folder: DataFolder, *, node: str, cpus: int, gpus: int, cluster: str = ""
    ) -> None:
        super().__init__(folder, node=node, cpus=cpus, gpus=gpus)
        self._host = cluster or "127.0.0.1"
        self._port = 0
        self.apart = not cluster and network.can_be_own()

    @property
    def address(self) -> str:
        """Where drivers connect; known once the port is."""
        self._port = self._port or self._folder.port(self.name)
        return f"{self._host}:{self._port}"

    def _role(self) -> list[str]:
        host, port = self.address.split(":")
        return [
            "--head",
            f"--node-ip-address={host}",
            f"--port={port}",
            "--include-dashboard=false",
        ]


class RayWorker(_Ray):
    """A node of a cluster whose head is at `head`, and asks for a token that the folder holds."""

    def __init__(self, folder: DataFolder, *, node: str, cpus: int, gpus: int, head: str) -> None:
        super().__init__(folder, node=node, cpus=cpus, gpus=gpus)
        self._head = head

    def _role(self) -> list[str]:
        return [f"--address={self._head}", f"--node-ip-address={_own_address(self._head)}"]


def _own_address(peer: str) -> str:
    """The address of this machine from which it reaches another one."""
    host, _, port = peer.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, int(port)))  # sends nothing
        return str(probe.getsockname()[0])
