"""Where benchmarks run: real embedded servers in a folder that is removed, and two cores."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from infra.embedded.data_folder import DataFolder
from infra.embedded.nats import NatsServer
from infra.embedded.nats_rights import RIGHTS
from infra.embedded.postgres import PostgresServer
from infra.event_log import streams
from infra.nats_connection import connect


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses of running servers, their streams made; `scratch` is on the servers' disk."""

    nats: Mapping[str, str]
    """Address per user: admin, writer, reader, telemetry."""
    postgres: str
    scratch: Path


def share_two_cores() -> None:
    """Let this process and its children use two cores only, where the system can tell."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder on the disk of the temporary files, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="hansard-bench-") as path:
        yield Path(path)


@contextmanager
def running_servers() -> Iterator[Servers]:
    """A nats-server and a PostgreSQL as `hansard up` starts them, empty."""
    with scratch_folder() as scratch, DataFolder(scratch / "data") as folder:
        nats, postgres = NatsServer(folder), PostgresServer(folder)
        try:
            nats.start()
            postgres.start()
            uvloop.run(_create_streams(nats.url("admin")))
            users = {user: nats.url(user) for user in RIGHTS}
            yield Servers(users, postgres.url(), scratch)
        finally:
            postgres.stop()
            nats.stop()


async def _create_streams(url: str) -> None:
    client = await connect(url, "bench")
    for stream in streams.ALL:
        await streams.create(client, stream)
    await client.close()
