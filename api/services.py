"""What the routes work with: connections and stores, made once per process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from nats.aio.client import Client
from psycopg_pool import ConnectionPool

from api.access.guard import Denials
from api.ask_limits import AskLimits
from api.authentication import Authenticator, Subject
from api.live.facts import FactsCache
from api.live.hub import LiveHub
from api.locks import Locks
from api.login_limits import LoginLimits
from api.positions import Positions
from infra.artifacts.storage import open_storage
from infra.artifacts.store import ArtifactStore
from infra.bundle_reading.reader import BundleReader
from infra.database import Connection, options
from infra.disk_space import DiskSpace
from infra.event_log.layout import Layout
from infra.event_log.log import EventLog
from infra.event_store import EventStore
from infra.file_store import FileStore, open_files
from infra.nats_connection import connect
from infra.nodes import Nodes
from infra.passwords import Passwords
from infra.person_keys import PersonKeys
from infra.queue_view import QueueView
from infra.secret_vault import SecretVault
from infra.settings import Settings
from infra.telemetry import STREAM
from policies.access import Access
from projections.access.active_policies import ActivePolicies
from projections.access.changes import Changes
from projections.cursor import CursorSigner
from projections.rebuild import LIVE
from projections.schema_check import Catalogue

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
    artifacts: ArtifactStore
    bundles: BundleReader
    ask_limits: AskLimits
    locks: Locks
    keys: PersonKeys
    vault: SecretVault
    nodes: Nodes
    queue: QueueView
    signer: CursorSigner
    authenticator: Authenticator
    live: LiveHub
    check_space: DiskSpace
    changes: Changes
    policies: ActivePolicies
    denials: Denials
    passwords: Passwords
    logins: LoginLimits

    async def access(self, caller: Subject, now: datetime) -> Access:
        """The rights of a caller under the policies that are active."""
        policies = await self.policies.current()
        return Access(policies, policies.subject.facts(caller.values), now)


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Connect to everything; the read side is opened lazily, so the API starts without it."""
    nats = await connect(settings.nats_url, "api")
    pool = _read_pool(settings)
    check_space = DiskSpace(settings.folder, settings.min_free_mb << 20)
    changes = Changes(EventLog(nats))
    log = EventLog(nats, check_space=check_space, appended=changes.noticed)
    store = EventStore(log)
    files = open_files(settings.artifacts_url, settings.files)
    storage = open_storage(settings.artifacts_url, settings.files)
    artifacts = ArtifactStore(storage, settings.postgres_url)
    bundles = BundleReader()
    policies = ActivePolicies(log, changes)
    live = LiveHub(log, EventLog(nats, Layout(STREAM, "tel")), FactsCache(store, changes))
    changes.listen(live.noticed)
    changes.start()
    try:
        yield Services(
            settings=settings,
            nats=nats,
            log=log,
            store=store,
            pool=pool,
            positions=Positions(pool),
            files=files,
            artifacts=artifacts,
            bundles=bundles,
            ask_limits=AskLimits(),
            locks=Locks(settings.environments, files),
            keys=PersonKeys(nats),
            vault=SecretVault(nats, settings.secrets_key_file),
            nodes=Nodes(nats),
            queue=QueueView(nats),
            signer=CursorSigner(settings.secret.encode()),
            authenticator=Authenticator(store, changes),
            live=live,
            check_space=check_space,
            changes=changes,
            policies=policies,
            denials=Denials(),
            passwords=Passwords(nats),
            logins=LoginLimits(),
        )
    finally:
        await live.close()
        await changes.close()
        pool.close()
        bundles.close()
        artifacts.close()
        await nats.close()


def _read_pool(settings: Settings) -> ConnectionPool[Connection]:
    """Connections to the read models; refused while their columns are not what policies expect."""
    pool: ConnectionPool[Connection] = ConnectionPool(
        settings.postgres_url,
        kwargs={"options": options(LIVE), "autocommit": True},
        min_size=1,
        max_size=_READERS,
        open=False,
        timeout=_READER_TIMEOUT_S,
        configure=Catalogue().check,
        check=ConnectionPool.check_connection,
    )
    pool.open(wait=False)
    return pool
