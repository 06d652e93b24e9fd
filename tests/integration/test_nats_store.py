"""The store of the embedded nats-server: its cap, and what a restart keeps."""

import asyncio
from pathlib import Path

import nats
import pytest
from nats.js.client import JetStreamContext
from nats.js.errors import APIError

from infra.embedded.data_folder import DataFolder
from infra.embedded.nats import NatsServer

_MESSAGE = b"x" * 100_000


async def _publish(url: str, count: int) -> int:
    """Publish that many messages of 100 kB and answer the last sequence. Raises APIError."""
    async with await nats.connect(url) as client:
        stream: JetStreamContext = client.jetstream()
        await stream.add_stream(name="FILL", subjects=["fill"])
        acknowledgements = [await stream.publish("fill", _MESSAGE) for _ in range(count)]
        return acknowledgements[-1].seq


def test_a_full_store_refuses_writes_until_it_is_given_more_room(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        server = NatsServer(folder, max_store_bytes=1_000_000)
        try:
            server.start()
            with pytest.raises(APIError, match="insufficient resources"):
                asyncio.run(_publish(server.url("admin"), 12))
            server.stop()
            server = NatsServer(folder)
            server.start()
            kept = asyncio.run(_publish(server.url("admin"), 3))
            assert 8 <= kept - 3 <= 10
        finally:
            server.stop()


def test_the_store_is_never_promised_more_than_the_disk_has(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        server = NatsServer(folder, max_store_bytes=10**18)
        try:
            server.start()
            asyncio.run(_refused_reservation(server.url("admin")))
        finally:
            server.stop()


async def _refused_reservation(url: str) -> None:
    async with await nats.connect(url) as client:
        with pytest.raises(APIError, match="insufficient"):
            await client.jetstream().add_stream(name="HUGE", subjects=["h"], max_bytes=10**17)
