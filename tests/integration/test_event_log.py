"""The event log on a real broker: order, conflicts, lost acknowledgements, kills, hash chains."""

import asyncio
from collections.abc import AsyncIterator
from itertools import chain
from pathlib import Path
from uuid import uuid4

import pytest
from eventsourcing.persistence import StoredEvent
from nats.aio.client import Client

from infra.embedded.data_folder import DataFolder
from infra.embedded.nats import NatsServer
from infra.event_log.bulk_read import BulkReader
from infra.event_log.chain import GENESIS, chain_hash
from infra.event_log.errors import AppendTooLarge, StorageFull, VersionConflict
from infra.event_log.layout import Layout
from infra.event_log.log import EventLog
from infra.event_log.streams import create, events
from infra.nats_connection import connect
from tests.integration.conftest import Servers


def an_event(id_: str, version: int, text: str = "x") -> StoredEvent:
    return StoredEvent(id_, version, "thing.happened.v1", f'{{"data":"{text}"}}'.encode())


@pytest.fixture
async def client(servers: Servers) -> AsyncIterator[Client]:
    client = await connect(servers.nats["admin"], "test")
    yield client
    await client.close()


@pytest.fixture
async def log(client: Client) -> EventLog:
    name = uuid4().hex[:8]
    layout = Layout(f"LOG_{name}", f"log_{name}")
    await create(client, events(layout))
    return EventLog(client, layout)


async def until_ready(server: NatsServer) -> None:
    while not await asyncio.to_thread(server.is_ready):
        await asyncio.sleep(0.02)


async def test_positions_have_no_gaps_and_refused_appends_take_none(log: EventLog) -> None:
    first = await log.append([an_event("run-a", 1)])
    with pytest.raises(VersionConflict):
        await log.append([an_event("run-a", 1, "other")])
    with pytest.raises(VersionConflict):
        await log.append([an_event("run-b", 1), an_event("run-a", 1)])
    assert first + await log.append([an_event("run-a", 2), an_event("run-b", 1)]) == [1, 2, 3]


async def test_the_same_event_twice_in_one_append_is_refused(log: EventLog) -> None:
    with pytest.raises(VersionConflict):
        await log.append([an_event("run-a", 1), an_event("run-a", 1)])


async def test_more_events_than_a_batch_holds_are_refused(log: EventLog) -> None:
    with pytest.raises(AppendTooLarge):
        await log.append([an_event("run-a", v) for v in range(1, 1002)])


async def test_an_aggregate_longer_than_one_answer_is_read_whole(log: EventLog) -> None:
    for start in range(1, 2500, 500):
        await log.append([an_event("run-a", v) for v in range(start, start + 500)])
    versions = [log.layout.parse(m.subject)[1] for m in await log.read("run-a")]
    assert versions == list(range(1, 2501))
    some = [log.layout.parse(m.subject)[1] for m in await log.read("run-a", gt=1000, lte=2200)]
    assert some == list(range(1001, 2201))


async def test_many_writers_are_combined_and_conflicts_stay_their_own(log: EventLog) -> None:
    async def write(id_: str) -> list[int]:
        return await log.append([an_event(id_, 1)])

    ids = [f"run-{n}" for n in range(100)] * 2
    outcomes = await asyncio.gather(*(write(id_) for id_ in ids), return_exceptions=True)
    stored = [o for o in outcomes if not isinstance(o, BaseException)]
    conflicts = [o for o in outcomes if isinstance(o, VersionConflict)]
    assert len(stored) == len(conflicts) == 100
    assert sorted(chain.from_iterable(stored)) == list(range(1, 101))


async def test_each_event_is_chained_to_the_one_before_it(log: EventLog, servers: Servers) -> None:
    await log.append([an_event("run-a", 1), an_event("run-a", 2)])
    other = EventLog(await connect(servers.nats["admin"], "other"), log.layout)
    await other.append([an_event("run-a", 3)])  # looks the head up: it never saw version 2
    await other._reader._client.close()
    previous = GENESIS
    for message in await log.read("run-a"):
        previous = chain_hash(previous, message.subject, message.topic, message.payload)
        assert message.hash == previous


async def test_nothing_is_written_while_space_is_short(client: Client, log: EventLog) -> None:
    def short() -> None:
        raise StorageFull("no space")

    guarded = EventLog(client, log.layout, short)
    with pytest.raises(StorageFull):
        await guarded.append([an_event("run-a", 1)])
    assert await log.read("run-a") == []


async def test_bulk_reads_answer_what_the_client_library_reads(
    log: EventLog, servers: Servers
) -> None:
    await log.append([an_event(f"run-{n}", 1, "é" * n) for n in range(300)])
    with BulkReader(servers.nats["admin"], log.layout.stream) as reader:
        assert reader.read_after(7, 250, log.layout.everything) == await log.read_after(7, 250)
        assert reader.read_after(300, 10, log.layout.everything) == []
        last = reader.last(log.layout.everything)
        assert last is not None
        assert last.position == 300


@pytest.mark.slow
async def test_a_broker_killed_under_load_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        server = NatsServer(folder)
        process = server.spawn()
        await until_ready(server)
        client = await connect(server.url("admin"), "test")
        layout = Layout()
        await create(client, events(layout))
        log = EventLog(client, layout)
        acknowledged: list[tuple[str, int, int]] = []
        stop = asyncio.Event()

        async def write(id_: str, per_append: int) -> None:
            version = 0
            while not stop.is_set():
                batch = [an_event(id_, version + n + 1) for n in range(per_append)]
                positions = await log.append(batch)
                for event, position in zip(batch, positions, strict=True):
                    acknowledged.append((id_, event.originator_version, position))
                version += per_append

        writers = [asyncio.create_task(write(f"run-{n}", 1 + n % 3)) for n in range(12)]
        for _ in range(3):
            await asyncio.sleep(0.7)
            process.kill()
            process.wait()
            process = server.spawn()
            await until_ready(server)
        stop.set()
        await asyncio.gather(*writers)
        with BulkReader(server.url("admin"), layout.stream) as reader:
            stored: list[tuple[object, int, int]] = []
            while page := reader.read_after(len(stored), 1000, layout.everything):
                stored += [(*layout.parse(m.subject), m.position) for m in page]
        await client.close()
        server.stop()
    assert sorted(acknowledged) == sorted(stored)
    assert [position for *_, position in stored] == list(range(1, len(stored) + 1))
