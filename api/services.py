"""What the routes work with: connections and stores, made once per process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nats.aio.client import Client
from psycopg_pool import ConnectionPool

from api.authentication import Authenticator
from api.live.hub import LiveHub
from api.locks import Locks
from api.positions import Positions
from infra.database import Connection, options
from infra.disk_space import DiskSpace
from infra.event_log.layout import Layout
from infra.event_log.log import EventLog
from infra.event_store import EventStore
from infra.file_store import FileStore
from infra.nats_connection import connect
from infra.nodes import Nodes
from infra.person_keys import PersonKeys
from infra.settings import Settings
from infra.telemetry import STREAM
from projections.page import CursorSigner
from projections.rebuild import LIVE

_READERS = 16
_READER_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Services:
    """Everything behind the HTTP edge."""

    settings: Settings
    nats: Client
    log: EventLog
    store: EventStore
    pool: ConnectionPool[Connection]
    positions: Positions
    files: FileStore
    locks: Locks
    keys: PersonKeys
    nodes: Nodes
    signer: CursorSigner
    authenticator: Authenticator
    live: LiveHub
    check_space: DiskSpace


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Connect to everything; the read side is opened lazily, so the API starts without it."""
    nats = await connect(settings.nats_url, "api")
    pool: ConnectionPool[Connection] = ConnectionPool(
        settings.postgres_url,
        kwargs={"options": options(LIVE), "autocommit": True},
        min_size=1,
        max_size=_READERS,
        open=False,
        timeout=_READER_TIMEOUT_S,
        check=ConnectionPool.check_connection,
    )
    pool.open(wait=False)
    check_space = DiskSpace(settings.folder, settings.min_free_mb << 20)
    log = EventLog(nats, check_space=check_space)
    store = EventStore(log)
    files = FileStore(settings.files)
    live = LiveHub(log, EventLog(nats, Layout(STREAM, "tel")))
    try:
        yield Services(
            settings=settings,
            nats=nats,
            log=log,
            store=store,
            pool=pool,
            positions=Positions(pool),
            files=files,
            locks=Locks(settings.environments, files),
            keys=PersonKeys(nats),
            nodes=Nodes(nats),
            signer=CursorSigner(settings.secret.encode()),
            authenticator=Authenticator(store),
            live=live,
            check_space=check_space,
        )
    finally:
        await live.close()
        pool.close()
        await nats.close()
