"""Real servers for the integration tests: one nats-server and one PostgreSQL per test process."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pytest
from argon2 import PasswordHasher

from infra.embedded.data_folder import DataFolder
from infra.embedded.nats import NatsServer
from infra.embedded.nats_rights import RIGHTS
from infra.embedded.postgres import PostgresServer


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses of running servers. NATS clients use the inbox prefix `_INBOX_<user>`."""

    nats: Mapping[str, str]
    """Address per user: admin, writer, reader, telemetry."""
    postgres: str
    """Address of database `hansard` for its owner."""
    postgres_superuser: str
    """The same database for the superuser: to create a database or schema per test."""
    folder: DataFolder


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """Locks are tested by hundreds of passwords; what a real one costs is tested by itself."""
    cheap = partial(PasswordHasher, time_cost=1, memory_cost=64, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infra.passwords.PasswordHasher", cheap)
        patch.setattr("infra.passwords._NOBODYS", cheap().hash("nobody's"))
        yield


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Started once, shared by all tests: use subjects, streams and schemas of your own."""
    with DataFolder(tmp_path_factory.mktemp("servers") / "data") as folder:
        nats, postgres = NatsServer(folder), PostgresServer(folder)
        try:
            nats.start()
            postgres.start()
            users = {user: nats.url(user) for user in RIGHTS}
            yield Servers(users, postgres.url(), postgres.url("postgres"), folder)
        finally:
            postgres.stop()
            nats.stop()
