"""Verification names the first event that is not what was written."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import orjson
import pytest
from eventsourcing.persistence import StoredEvent
from nats.aio.client import Client

from infra.audit.chains import Finding
from infra.audit.verify import Verified, verify
from infra.event_log.bulk_read import BulkReader
from infra.event_log.chain import chain_hash
from infra.event_log.layout import Layout
from infra.event_log.log import EventLog
from infra.event_log.streams import Stream, create, events
from infra.nats_connection import connect
from tests.integration.conftest import Servers


@dataclass(frozen=True)
class Record:
    """A log of three aggregates, whose stream can be tampered with."""

    client: Client
    log: EventLog
    url: str

    def verified(self) -> Verified:
        with BulkReader(self.url, self.log.layout.stream) as reader:
            return verify(reader, self.log.layout)

    async def publish(self, id_: str, version: int, text: str, hash_: str) -> None:
        """As somebody would who has got hold of the writer's credentials."""
        headers = {"T": "thing.happened.v1", "H": hash_}
        subject = self.log.layout.event(id_, version)
        await self.client.request(subject, text.encode(), 2, headers=headers)

    async def delete(self, position: int) -> None:
        """As the broker's administrator could, on a stream that allows it."""
        subject = f"$JS.API.STREAM.MSG.DELETE.{self.log.layout.stream}"
        answer = await self.client.request(subject, orjson.dumps({"seq": position}), 2)
        assert orjson.loads(answer.data)["success"]


@pytest.fixture
async def record(servers: Servers) -> AsyncIterator[Record]:
    client = await connect(servers.nats["admin"], "test")
    name = uuid4().hex[:8]
    layout = Layout(f"LOG_{name}", f"log_{name}")
    kept = events(layout)
    await create(client, Stream(kept.name, kept.subjects, {"allow_atomic": True}))
    log = EventLog(client, layout)
    for version in (1, 2, 3):
        for id_ in ("run-a", "run-b", "model-c"):
            await log.append([StoredEvent(id_, version, "thing.happened.v1", b"{}")])
    yield Record(client, log, servers.nats["admin"])
    await client.close()


async def test_an_untouched_record_is_intact(record: Record) -> None:
    result = record.verified()
    assert result.intact
    assert (result.events, result.aggregates) == (9, 3)


async def test_an_event_that_does_not_match_its_hash_is_named(record: Record) -> None:
    await record.publish("run-b", 4, '{"forged":1}', "0" * 64)
    finding = record.verified().finding
    assert finding is not None
    assert (finding.position, finding.entity, finding.version) == (10, "run-b", 4)


async def test_a_forger_who_skips_a_version_is_named(record: Record) -> None:
    subject = record.log.layout.event("run-b", 5)
    await record.publish("run-b", 5, "{}", chain_hash("", subject, "thing.happened.v1", b"{}"))
    finding = record.verified().finding
    assert finding is not None
    assert finding.what == "version 5 follows version 3"


async def test_a_missing_event_is_named(record: Record) -> None:
    await record.delete(5)
    finding = record.verified().finding
    assert finding == Finding(5, "run-b", 2, "events from position 5 on are missing")


async def test_a_missing_event_that_nothing_follows_has_no_name(record: Record) -> None:
    await record.log.append([StoredEvent("run-d", 1, "thing.happened.v1", b"{}")])
    await record.delete(8)
    assert record.verified().finding == Finding(8, "", 0, "events from position 8 on are missing")
