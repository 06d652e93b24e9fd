"""A run on a platform that answers over a socket: placed, launched and recorded by the test."""

import asyncio
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import uvicorn

from api.bootstrap import FIRST_USER
from api.main import create_app, listen
from domain.aggregate import Context
from domain.run import Run
from hansard.formats.archive import encode
from hansard.formats.frames import Kind, unpack_status
from hansard.formats.manifest import MANIFEST_NAME, Manifest
from hansard.formats.outbox import read_from
from infra.event_store import Session
from infra.nats_connection import connect
from infra.secret_digest import make_bearer, read_bearer, secret_digest
from tests.integration.artifacts import an_artifact
from tests.integration.conftest import Servers
from tests.integration.people import Person, done
from tests.integration.platform import Platform, running
from tests.integration.pushing import uploaded
from workers.attempt_folder import AttemptFolder
from workers.granted_secrets import granted
from workers.launch_spec import LaunchSpec
from workers.launcher import launch
from workers.launching import launch_spec
from workers.outcomes import record
from workers.recovery import finish_if_lost
from workers.shipper import Shipper


@dataclass(frozen=True, slots=True)
class Runner:
    """The dispatcher, a node and its agent, step by step."""

    platform: Platform
    admin: Person  # who asks for everything here, the first administrator if nobody is named
    project: str | None = None

    async def abstraction(self, path: str) -> str:
        body = {"name": f"name {uuid4().hex[:12]}", "project": self.project}
        return str(done(await self.admin.call("POST", f"/{path}", body))["id"])

    async def version(
        self, path: str, source: str = "", entry: str = "", files: Mapping[str, bytes] | None = None
    ) -> dict[str, Any]:
        """A new abstraction, and a version of it with code, bytes or both."""
        of, body = await self.abstraction(path), dict[str, Any]()
        if source:
            kind = path.removesuffix("s").replace("-", "_")
            code = {
                MANIFEST_NAME: Manifest(kind, f"main:{entry}", "n").to_bytes(),
                "main.py": f"import hansard\n{textwrap.dedent(source)}".encode(),
            }
            answer = await self.admin.call("POST", "/bundles", content=encode(code))
            body |= uploaded(answer)
        if files:
            body["artifact"] = await an_artifact(self.admin, of, files)
        return done(await self.admin.call("POST", f"/{path}/{of}/versions", body))

    async def admitted(
        self, executor: str, before: Callable[[], Awaitable[None]] | None = None, **asked: Any
    ) -> LaunchSpec:
        """A run that was asked for and placed here; `before` happens in between."""
        experiment = await self.abstraction("experiments")
        body = {"experiment": experiment, "executor": executor, **asked}
        run_id = done(await self.admin.call("POST", "/runs", body))["id"]
        if before is not None:
            await before()
        bearer = read_bearer(token := make_bearer(run_id))
        assert bearer is not None
        digest = secret_digest(bearer.secret)

        async def admit(session: Session) -> LaunchSpec:
            run = await session.load(Run, run_id)
            run.queue()
            run.admit(backend="local", node="local", fence=1, token_digest=digest)
            services = self.platform.services
            secrets = await granted(session, run, services.policies, services.vault)
            spec = await launch_spec(session, run, token, 1, services.settings, secrets)
            await session.save(run)
            return spec

        return await self.platform.services.store.run(_context(), admit)

    async def executed(self, spec: LaunchSpec) -> dict[str, Any]:
        """Launch an attempt, record and ship what it tells; its last status."""
        await asyncio.to_thread(launch, spec)
        return await self.recorded(spec)

    async def recorded(self, spec: LaunchSpec) -> dict[str, Any]:
        """Record and ship what an attempt has told; its last status."""
        folder = AttemptFolder(Path(spec.work) / f"{spec.run}.{spec.attempt}")
        frames = [frame for frame, _ in read_from(folder.outbox)]
        statuses = [unpack_status(f.payload) for f in frames if f.kind is Kind.STATUS]
        for status in statuses:
            await self.told(spec, status)
        agent = await connect(self.platform.settings.nats_telemetry_url, "test")
        await Shipper(agent, folder).ship_new()
        await agent.close()
        return statuses[-1]

    async def finished(self, spec: LaunchSpec) -> dict[str, Any]:
        """What the agent makes of an attempt whose launcher died."""
        folder = AttemptFolder(Path(spec.work) / f"{spec.run}.{spec.attempt}")
        assert await asyncio.to_thread(finish_if_lost, folder)
        return await self.recorded(spec)

    async def told(self, spec: LaunchSpec, status: dict[str, Any]) -> None:
        """Record what a node says, true or not."""
        policies = self.platform.services.policies
        await self.platform.services.store.run(
            _context(),
            lambda session: record(session, policies, spec.run, spec.attempt, status),
        )

    async def holder(self, version: str) -> str:
        """What a version is of."""
        return str(done(await self.admin.call("GET", f"/versions/{version}"))["abstraction"])

    async def row(self, run: str) -> dict[str, Any]:
        """The run as it is recorded."""
        last = await self.platform.services.log.last()
        assert last is not None
        path = f"/runs/{run}?min_position={last.position}"
        return done(await self.admin.call("GET", path))


def _context() -> Context:
    return Context("dispatcher", datetime.now(UTC), "test")


@asynccontextmanager
async def runner(servers: Servers, folder: Path) -> AsyncIterator[Runner]:
    """A platform whose nodes reach it over a socket."""
    async with running(servers, folder) as platform:
        listener = listen(platform.settings.model_copy(update={"host": "127.0.0.1", "port": 0}))
        app = create_app(platform.services)
        config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        platform.settings.api_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            yield Runner(platform, Person(platform, FIRST_USER, platform.token))
        finally:
            server.should_exit = True
            await serving
            listener.close()
