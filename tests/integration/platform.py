"""A platform within the test process: real servers, the real application, a real projector."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from api.bootstrap import begin, create_streams
from api.main import create_app
from api.services import Services, open_services
from infra.nats_connection import connect
from infra.settings import Settings
from projections.main import project
from tests.integration.conftest import Servers

SECRET = "s" * 40


@dataclass(frozen=True, slots=True)
class Platform:
    """A client of the API, and what stands behind it."""

    http: httpx.AsyncClient
    services: Services
    settings: Settings
    token: str


def settings_for(servers: Servers, folder: Path) -> Settings:
    """Settings of processes that use these servers."""
    return Settings(
        data_dir=folder,
        nats_url=servers.nats["writer"],
        nats_admin_url=servers.nats["admin"],
        nats_reader_url=servers.nats["reader"],
        nats_telemetry_url=servers.nats["telemetry"],
        postgres_url=servers.postgres,
        secret="cursor secret",
        min_free_mb=1,
    )


@asynccontextmanager
async def running(servers: Servers, folder: Path) -> AsyncIterator[Platform]:
    """The API in this process, with a projector thread; the record is shared between tests."""
    settings = settings_for(servers, folder)
    admin = await connect(settings.nats_admin_url, "test")
    await create_streams(admin, 1)
    token = await begin(admin, SECRET)
    await admin.close()
    stopped = threading.Event()
    projector = threading.Thread(target=project, args=(settings, stopped))
    projector.start()
    try:
        async with open_services(settings) as services:
            transport = httpx.ASGITransport(create_app(services), raise_app_exceptions=False)
            headers = {"Authorization": f"Bearer {token}"}
            base = "http://hansard.test"
            async with httpx.AsyncClient(
                transport=transport, base_url=base, headers=headers
            ) as http:
                yield Platform(http, services, settings, token)
    finally:
        stopped.set()
        projector.join()
