"""The API process: composition root, application, server."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
import uvloop
from fastapi import FastAPI

from api import problems
from api.answer import Answer
from api.bulk_body import BulkProtocol
from api.middleware import RequestMiddleware
from api.routes import (
    artifacts,
    datasets,
    events,
    files,
    groups,
    invitations,
    launching,
    lineage,
    live,
    nodes,
    operations,
    outside_runs,
    policies,
    queue,
    registries,
    run_groups,
    runs,
    secrets,
    sessions,
    tokens,
    users,
    versions,
)
from api.services import Services, open_services
from infra.allocator import reuse_large_buffers
from infra.logging import set_up_logging
from infra.settings import Settings


def create_app(services: Services) -> FastAPI:
    """The application over services that are open."""
    app = FastAPI(
        title="Hansard",
        summary="The verbatim record of a machine-learning team",
        version="0.1.0",
        openapi_url="/v1/openapi.json",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        default_response_class=Answer,
    )
    app.state.services = services
    problems.install(app)
    app.add_middleware(RequestMiddleware)
    # Routes are tried one by one, 5 us each: what is asked most often comes first.
    busy = [m.router for m in (artifacts, versions, runs, live, files)]
    work = [m.router for m in (launching, queue, outside_runs, run_groups, nodes)]
    things = [*registries.routers(), datasets.router, secrets.router]
    people = [m.router for m in (users, groups, tokens, invitations, sessions)]
    rest = [m.router for m in (lineage, policies, events)]
    for router in [*busy, *work, *things, *people, *rest]:
        app.include_router(router, prefix="/v1")
    app.include_router(operations.router)
    return app


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[uvicorn.Server]:
    """A server over open services; the caller awaits `serve`."""
    async with open_services(settings) as services:
        await asyncio.to_thread(services.bundles.warm)
        config = uvicorn.Config(
            create_app(services),
            http=BulkProtocol,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
            server_header=False,
            proxy_headers=False,  # or clients would say themselves which address is counted
        )
        yield uvicorn.Server(config)


def listen(settings: Settings) -> socket.socket:
    """The listening socket. TCP_NODELAY is inherited by what it accepts: no answer waits 40 ms."""
    family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((settings.address, settings.port))
    return listener


async def run(settings: Settings) -> None:
    """Serve until stopped."""
    async with serving(settings) as server:
        await server.serve([listen(settings)])


def main() -> None:
    """Entry point of the process."""
    set_up_logging("api")
    reuse_large_buffers()
    uvloop.run(run(Settings()))


if __name__ == "__main__":
    main()
