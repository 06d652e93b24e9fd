"""The dispatcher process: waits for the lease, then leads until it is stopped or loses it."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import structlog

from infra.disk_space import DiskSpace
from infra.event_log.log import EventLog
from infra.event_store import EventStore
from infra.lease import RENEW_EVERY_S, Lease, LeaseLost
from infra.logging import set_up_logging
from infra.nats_connection import connect
from infra.settings import Settings
from projections.access.active_policies import ActivePolicies
from projections.access.changes import Changes
from workers.backends.backend import ComputeBackend
from workers.backends.local import LocalBackend
from workers.backends.ray import RayBackend
from workers.dispatcher import Dispatcher

_CANDIDATE_POLL_S = 0.25

_log = structlog.get_logger(__name__)


def make_backend(settings: Settings) -> ComputeBackend:
    """The backend that the settings name."""
    if settings.backend == "local":
        return LocalBackend(settings.folder / "launch")
    network = Path(settings.ray_network) if settings.ray_network else None
    return RayBackend(settings.ray_address, settings.folder / "logs" / "ray-driver.log", network)


async def lead(settings: Settings, stopped: asyncio.Event) -> None:
    """Dispatch from the moment this process holds the lease. Raises LeaseLost."""
    client = await connect(settings.nats_url, "dispatcher")
    lease = Lease(client, "dispatcher")
    while not stopped.is_set() and not await lease.try_take():
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), _CANDIDATE_POLL_S)
    if stopped.is_set():
        await client.close()
        return
    backend = make_backend(settings)
    check_space = DiskSpace(settings.folder, settings.min_free_mb << 20)
    log = EventLog(client, check_space=check_space)
    policies = ActivePolicies(log, Changes(log))
    dispatcher = Dispatcher(client, EventStore(log), backend, settings, policies, lease.fence)
    keeping = asyncio.create_task(_keep(lease))
    try:
        await dispatcher.start()
        while not stopped.is_set():
            if keeping.done():
                await keeping
            await dispatcher.step()
        keeping.cancel()
        await lease.release()
    finally:
        keeping.cancel()
        dispatcher.close()
        backend.close()
        await client.close()


async def _keep(lease: Lease) -> None:
    """Renew beside the work, which may take long: folding a long record, waiting for space."""
    while True:
        await lease.renew()
        await asyncio.sleep(RENEW_EVERY_S / 4)


async def _run() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        await lead(Settings(), stopped)
    except LeaseLost as lost:
        _log.error("dispatcher_replaced", why=str(lost))
        raise SystemExit(1) from lost


def main() -> None:
    """Entry point of the process."""
    set_up_logging("dispatcher")
    asyncio.run(_run())


if __name__ == "__main__":
    main()
