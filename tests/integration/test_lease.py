"""The lease on a real broker: one holder, takeover when it falls silent, a fence that grows."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from nats.aio.client import Client

from infra import lease as lease_module
from infra.event_log.streams import LEASES, create
from infra.lease import Lease, LeaseLost
from infra.nats_connection import connect
from tests.integration.conftest import Servers

EXPIRES_S = 0.5

HOLDER = """
import asyncio, os
from infra.lease import Lease
from infra.nats_connection import connect

async def main():
    lease = Lease(await connect(os.environ["LAB_NATS"], "holder"), os.environ["LAB_LEASE"])
    assert await lease.try_take()
    print(lease.fence, flush=True)
    while True:
        await lease.renew()
        await asyncio.sleep(0.05)

asyncio.run(main())
"""


@pytest.fixture
async def client(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """A connection with the dispatcher's rights; leases expire sooner than in production."""
    monkeypatch.setattr(lease_module, "EXPIRES_S", EXPIRES_S)
    monkeypatch.setattr(lease_module, "RENEW_EVERY_S", 0.1)
    admin = await connect(servers.nats["admin"], "test")
    await create(admin, LEASES)
    await admin.close()
    client = await connect(servers.nats["writer"], "test")
    yield client
    await client.close()


def a_name() -> str:
    return f"test-{uuid4().hex[:8]}"


async def taken(lease: Lease) -> float:
    """Take the lease as soon as it can be had; answers after how many seconds."""
    started = asyncio.get_running_loop().time()
    while not await lease.try_take():
        await asyncio.sleep(0.02)
    return asyncio.get_running_loop().time() - started


async def test_one_of_many_candidates_takes_a_free_lease(client: Client) -> None:
    name = a_name()
    candidates = [Lease(client, name) for _ in range(8)]
    outcomes = await asyncio.gather(*(candidate.try_take() for candidate in candidates))
    assert outcomes.count(True) == 1


async def test_a_holder_that_renews_keeps_the_lease(client: Client) -> None:
    name = a_name()
    holder, rival = Lease(client, name), Lease(client, name)
    await taken(holder)
    for _ in range(10):
        await asyncio.sleep(EXPIRES_S / 5)
        await holder.renew()
        assert not await rival.try_take()


async def test_a_silent_holder_is_replaced_and_told_and_the_fence_grows(client: Client) -> None:
    name = a_name()
    holder, rival = Lease(client, name), Lease(client, name)
    await taken(holder)
    assert await taken(rival) >= EXPIRES_S
    assert rival.fence > holder.fence
    with pytest.raises(LeaseLost):
        await holder.renew()
    await rival.renew()
    assert not await holder.try_take()


async def test_a_lease_that_is_released_is_free_at_once(client: Client) -> None:
    name = a_name()
    holder, rival = Lease(client, name), Lease(client, name)
    await taken(holder)
    await holder.release()
    assert await rival.try_take()
    assert rival.fence > holder.fence


async def test_a_stale_holder_cannot_release_what_another_holds(client: Client) -> None:
    name = a_name()
    holder, rival = Lease(client, name), Lease(client, name)
    await taken(holder)
    await taken(rival)
    await holder.release()
    await rival.renew()
    assert not await Lease(client, name).try_take()


async def test_after_a_kill_the_next_candidate_leads(client: Client, servers: Servers) -> None:
    name = a_name()
    told = {"LAB_NATS": servers.nats["writer"], "LAB_LEASE": name}
    fence = await asyncio.to_thread(killed_holder, told)
    rival = Lease(client, name)
    assert await taken(rival) < EXPIRES_S * 4
    assert rival.fence > fence


def killed_holder(told: dict[str, str]) -> int:
    """A process took the lease and was killed; answers the fencing number it had."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], env={**os.environ, **told}, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        return int(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
