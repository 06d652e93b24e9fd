"""The application behind a real socket, and folders of code to push to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import uvicorn

from api.bulk_body import BulkProtocol
from api.main import create_app, listen
from tests.integration.conftest import Servers
from tests.integration.platform import running


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server answers, and a token for it."""

    url: str
    token: str
    telemetry_url: str
    """NATS as a node's agent reaches it."""


@asynccontextmanager
async def served(servers: Servers, folder: Path) -> AsyncIterator[Address]:
    """The application behind a real socket."""
    async with running(servers, folder) as platform:
        listener = listen(platform.settings.model_copy(update={"host": "127.0.0.1", "port": 0}))
        config = uvicorn.Config(
            create_app(platform.services),
            http=BulkProtocol,
            log_config=None,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        try:
            while not server.started:
                await asyncio.sleep(0.005)
            port = listener.getsockname()[1]
            url = f"http://127.0.0.1:{port}"
            yield Address(url, platform.token, platform.settings.nats_telemetry_url)
        finally:
            server.should_exit = True
            await serving
            listener.close()


def a_name() -> str:
    return f"name {uuid4().hex[:10]}"


def code_in(folder: Path, name: str, body: str) -> Path:
    """A folder with one class, to push."""
    folder.mkdir()
    (folder / "source.py").write_text(f"import hansard\n\n{body}")
    (folder / "pyproject.toml").write_text(f'[tool.hansard]\nname = "{name}"\n')
    return folder


def an_executor(folder: Path, name: str) -> Path:
    body = (
        "class Job(hansard.Executor):\n"
        "    model: hansard.Slot[hansard.Model]\n\n"
        "    def execute(self, epochs: int = 3):\n        return {}\n"
    )
    return code_in(folder, name, body)


def a_model(folder: Path, name: str) -> Path:
    body = (
        "class Net(hansard.Model):\n"
        "    def __init__(self, width: int = 8) -> None:\n        self.width = width\n\n"
        "    def save(self, folder):\n        pass\n"
    )
    return code_in(folder, name, body)
