"""The custodian process: keeps the artifact store small and whole, and the record sealed.

One works at a time, by lease; were there two, both would do the same, each step is safe for that.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass

import psycopg
import structlog

from infra.artifacts.adoption import adopt_unknown_packs
from infra.artifacts.collection import Collected, Limits, RecordBehind, collect, remove_packs
from infra.artifacts.recompression import is_quiet, loose_packs, recompress
from infra.artifacts.roots import LiveRoots, UnknownEvent
from infra.artifacts.scrub import scrub
from infra.artifacts.storage import Storage, StorageFailed, open_storage
from infra.artifacts.store import ArtifactStore
from infra.audit.checkpointer import Checkpointer
from infra.audit.keyring import KeyRing
from infra.disk_space import DiskSpace
from infra.event_log.bulk_read import BulkReader
from infra.event_log.errors import LogUnavailable, StorageFull
from infra.event_log.layout import Layout
from infra.event_log.log import EventLog
from infra.event_store import EventStore
from infra.lease import RENEW_EVERY_S, Lease, LeaseLost
from infra.logging import set_up_logging
from infra.nats_connection import connect
from infra.secret_vault import SecretVault
from infra.settings import Settings
from workers.checkpoint_delivery import deliveries_of
from workers.examination import Examiner
from workers.sealing import keep_sealed
from workers.secret_sweep import SecretSweep

_HOUR_S = 3600.0
_DAY_S = 24 * _HOUR_S
_TICK_S = 1.0
_CANDIDATE_POLL_S = 1.0
_RECOMPRESS_EVERY_S = 5.0
_COLLECT_EVERY_S = 600.0
_SETTLED_S = 30.0  # a pack is left alone that long after it was written
_QUIET_S = 60.0  # without uploads, before packs are compressed; those of an hour ago are anyway
_PAUSE_S = 0.2  # between packs: a run that wants the machine gets it
_SCRUB_DAYS = 30
_NICENESS = 10
_EXPECTED = (
    *(psycopg.Error, OSError, StorageFailed, StorageFull, LogUnavailable),
    *(RecordBehind, UnknownEvent),
)

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Job:
    """Something done again and again: `work` blocks; it ends early once the process must stop."""

    name: str
    every_s: float
    work: Callable[[], None]
    due_at: float = 0.0

    def run(self) -> None:
        """Do it; a failure is logged, and the next time is tried again."""
        try:
            self.work()
        except _EXPECTED as error:
            _log.error("job_failed", job=self.name, error=f"{type(error).__name__}: {error}")
        self.due_at = time.monotonic() + self.every_s


class Upkeep:
    """The jobs of the artifact store."""

    def __init__(
        self,
        settings: Settings,
        store: ArtifactStore,
        reader: BulkReader,
        stopped: threading.Event,
    ) -> None:
        self._store = store
        self._storage: Storage = store.storage
        self._roots = LiveRoots(reader)
        self._limits = Limits.grace(settings.artifact_grace_hours)
        self._stopped = stopped

    def jobs(self) -> list[Job]:
        """What there is to do, in this order when several are due."""
        return [
            Job("adopt", _DAY_S, self.adopt),
            Job("sweep incoming", _HOUR_S, lambda: self._log_swept(self._storage.sweep(_DAY_S))),
            Job("recompress", _RECOMPRESS_EVERY_S, self.recompress),
            Job("collect", _COLLECT_EVERY_S, self.collect),
            Job("scrub", _HOUR_S, self.scrub),
        ]

    def adopt(self) -> None:
        """Enter packs that a crash left unknown."""
        with self._store.pool.connection() as connection:
            adopt_unknown_packs(self._storage, connection, _DAY_S)

    def recompress(self) -> None:
        """Try packs that were sent raw smaller, one after the other, once uploads pause."""
        with self._store.pool.connection() as connection:
            overdue = set(loose_packs(connection, _HOUR_S))
            for pack in loose_packs(connection, _SETTLED_S):
                if pack not in overdue and not is_quiet(connection, _QUIET_S):
                    break
                try:
                    recompress(self._storage, connection, pack)
                except StorageFailed as error:
                    _log.error("pack_unreadable", pack=pack, error=str(error))
                if self._stopped.wait(_PAUSE_S):
                    return
            remove_packs(self._storage, connection, self._limits.retired_s)

    def collect(self) -> None:
        """Collect garbage."""
        with self._store.pool.connection() as connection:
            found = collect(self._storage, connection, self._roots.read, self._limits)
        if found != Collected():
            _log.info("garbage_collected", **asdict(found))

    def scrub(self) -> None:
        """Verify as much as makes all of it in a month."""
        share = _HOUR_S / (_SCRUB_DAYS * _DAY_S)
        with self._store.pool.connection() as connection:
            found = scrub(
                self._storage,
                connection,
                share,
                older_than_s=_DAY_S,
                stopped=lambda: self._stopped.wait(_PAUSE_S),
            )
        if found.packs:
            _log.info("packs_verified", **asdict(found))

    def _log_swept(self, count: int) -> None:
        if count:
            _log.info("incoming_swept", count=count)


async def work_through(jobs: Sequence[Job], stopped: threading.Event) -> None:
    """Run what is due, one at a time, until the process must stop."""
    while not stopped.is_set():
        for job in jobs:
            if job.due_at <= time.monotonic() and not stopped.is_set():
                await asyncio.to_thread(job.run)
        await asyncio.to_thread(stopped.wait, _TICK_S)


async def keep(settings: Settings, stopped: threading.Event) -> None:
    """Look after the store from the moment this process holds the lease. Raises LeaseLost."""
    client = await connect(settings.nats_url, "custodian")
    lease = Lease(client, "custodian")
    try:
        while not stopped.is_set() and not await lease.try_take():
            await asyncio.to_thread(stopped.wait, _CANDIDATE_POLL_S)
        if not stopped.is_set():
            log = EventLog(
                client, check_space=DiskSpace(settings.folder, settings.min_free_mb << 20)
            )
            vault = SecretVault(client, settings.secrets_key_file)
            await _lead(settings, log, vault, lease, stopped)
    finally:
        await client.close()


async def _lead(
    settings: Settings, log: EventLog, vault: SecretVault, lease: Lease, stopped: threading.Event
) -> None:
    storage = open_storage(settings.artifacts_url, settings.files)
    reader = BulkReader(settings.nats_url, Layout().stream)
    with closing(ArtifactStore(storage, settings.postgres_url)) as store, reader:
        upkeep = Upkeep(settings, store, reader, stopped)
        _log.info("custodian_started", fence=lease.fence)
        keeping = asyncio.create_task(_keep(lease))
        following = BulkReader(settings.nats_url, Layout().stream)
        examiner = Examiner(EventStore(log), store, following, settings.work)
        working = asyncio.create_task(work_through(upkeep.jobs(), stopped))
        examining = asyncio.create_task(examiner.run(stopped))
        sweeping = asyncio.create_task(SecretSweep(EventStore(log), vault).run(stopped))
        keys = KeyRing(settings.folder)
        checkpointer = Checkpointer(lease.client, settings.nats_url, keys)
        outlets = deliveries_of(settings, keys)
        sealing = asyncio.create_task(
            keep_sealed(checkpointer, outlets, settings.nats_url, stopped)
        )
        tasks = (keeping, working, examining, sweeping, sealing)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await lease.release()
        finally:
            stopped.set()
            keeping.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            following.close()
            checkpointer.close()


async def _keep(lease: Lease) -> None:
    while True:
        await lease.renew()
        await asyncio.sleep(RENEW_EVERY_S / 4)


async def _run() -> None:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        await keep(Settings(), stopped)
    except LeaseLost as lost:
        _log.error("custodian_replaced", why=str(lost))
        raise SystemExit(1) from lost


def main() -> None:
    """Entry point of the process."""
    set_up_logging("custodian")
    os.nice(_NICENESS)
    asyncio.run(_run())


if __name__ == "__main__":
    main()
