"""Checkpoints, proofs and verification of a record on a real broker, and what a forger leaves."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from eventsourcing.persistence import StoredEvent
from nats.aio.client import Client

from infra.audit.checkpoint import SignedCheckpoint
from infra.audit.checkpointer import CannotSign, Checkpointer
from infra.audit.history import History, read_history
from infra.audit.keyring import KeyRing
from infra.audit.ledger import Place, messages
from infra.audit.proof import NotProven, Prover
from infra.audit.source import NoRecord, copied_record
from infra.audit.verify import verify
from infra.embedded.data_folder import DataFolder
from infra.embedded.nats import NatsServer
from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from infra.event_log.log import EventLog
from infra.event_log.streams import AUDIT, EVENTS, Stream, create, events
from infra.nats_connection import connect
from tests.contract.command_line import COMMAND
from tests.integration.conftest import Servers

CHECK = Path(__file__).parents[2] / "examples" / "audit" / "check_proof.py"


@dataclass(frozen=True)
class Record:
    """A record of its own on the shared broker."""

    client: Client
    log: EventLog
    place: Place
    url: str
    keys: KeyRing

    async def write(self, count: int, entity: str = "run-a") -> None:
        known = len(await self.log.read(entity))
        for version in range(known + 1, known + count + 1):
            payload = b'{"version": %d}' % version
            await self.log.append([StoredEvent(entity, version, "thing.happened.v1", payload)])

    def checkpointer(self, every_s: float = 60.0) -> Checkpointer:
        return Checkpointer(
            self.client,
            self.url,
            self.keys,
            layout=self.log.layout,
            place=self.place,
            every_s=every_s,
        )

    async def sealed(self) -> SignedCheckpoint:
        with closing(self.checkpointer()) as checkpointer:
            made = await checkpointer.step(now=True)
        assert made is not None
        return made

    def history(self) -> History:
        with BulkReader(self.url, self.place.stream) as reader:
            return read_history(messages(reader, self.place))

    def prover(self) -> "closing[Prover]":
        return closing(Prover(self.url, self.log.layout, self.place))


@pytest.fixture
async def record(servers: Servers, tmp_path: Path) -> AsyncIterator[Record]:
    client = await connect(servers.nats["admin"], "test")
    name = uuid4().hex[:8]
    layout, place = Layout(f"LOG_{name}", f"log_{name}"), Place(f"CP_{name}", f"cp_{name}.all")
    await create(client, events(layout))
    await create(client, Stream(place.stream, f"cp_{name}.>", AUDIT.settings))
    yield Record(client, EventLog(client, layout), place, servers.nats["admin"], KeyRing(tmp_path))
    await client.close()


async def test_checkpoints_follow_the_record_and_go_on_in_another_process(record: Record) -> None:
    await record.write(5)
    with closing(record.checkpointer()) as first:
        made = await first.step()
        assert made is not None
        assert (made.said.size, made.said.key) == (5, record.keys.first().public)
        await record.write(2)
        assert await first.step() is None  # neither 1,000 events nor a minute
        assert await first.step(now=True) is not None
        assert await first.step(now=True) is None  # nothing is new
    await record.write(3)
    with closing(record.checkpointer()) as second:  # a process that knows nothing yet
        made = await second.step()
    assert made is not None
    assert made.said.size == 10
    history = record.history()
    assert (history.faults, [entry.size for entry in history.entries]) == ([], [5, 7, 10])
    with BulkReader(record.url, record.log.layout.stream) as reader:
        result = verify(reader, record.log.layout, history)
    assert (result.finding, result.checkpoints, result.covered) == (None, 3, 10)


async def test_a_thousand_events_are_a_checkpoint_and_two_at_work_make_each_once(
    record: Record,
) -> None:
    batch = [StoredEvent("run-a", v, "thing.happened.v1", b"{}") for v in range(1, 1001)]
    await record.log.append(batch)
    await record.write(1200 - 1000)
    with closing(record.checkpointer()) as one, closing(record.checkpointer()) as other:
        made = await asyncio.gather(one.step(), other.step())
        assert sorted(each is not None for each in made) in ([False, True], [True, True])
        await asyncio.gather(one.step(now=True), other.step(now=True))
    history = record.history()
    assert (history.faults, [entry.size for entry in history.entries]) == ([], [1000, 1200])


async def test_a_key_is_rotated_and_a_forged_checkpoint_changes_nothing(
    record: Record, tmp_path: Path
) -> None:
    await record.write(3)
    old = (await record.sealed()).said.key
    with closing(record.checkpointer()) as checkpointer:
        rotated = await checkpointer.rotate()
    assert rotated is not None
    assert rotated.said.key != old
    await record.client.request(record.place.subject, b"forged\n\0\0", 2)
    await record.write(1)
    assert (await record.sealed()).note.is_signed_by(rotated.said.key or pytest.fail("no key"))
    history = record.history()
    assert history.keys == [old, rotated.said.key]
    assert [entry.size for entry in history.entries] == [3, 3, 4]
    assert len(history.faults) == 1
    key = tmp_path / "credentials" / "audit-key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert not key.with_name("audit-key.next").exists()

    key.unlink()
    await record.write(1)
    with closing(record.checkpointer()) as checkpointer, pytest.raises(CannotSign):
        await checkpointer.step(now=True)


async def test_a_proof_convinces_a_stranger_and_only_of_what_is_there(
    record: Record, tmp_path: Path
) -> None:
    await record.write(7)
    first = await record.sealed()
    await record.write(6, "run-b")
    with record.prover() as prover, pytest.raises(NotProven) as unproven:
        prover.prove(9)
    assert unproven.value.pending
    await record.sealed()
    await record.write(4, "run-c")
    latest = await record.sealed()
    (tmp_path / "checkpoint.txt").write_text(str(latest.note))
    with record.prover() as prover:
        for position in (1, 7, 8, 13, 17):
            assert prover.prove(position, latest).checkpoint == latest
            assert prover.prove(position).checkpoint.said.size == min(
                size for size in (7, 13, 17) if size >= position
            )
        with pytest.raises(NotProven):
            prover.prove(18)
        with pytest.raises(NotProven):
            prover.prove(8, first)
        document = prover.prove(9, latest).document()
    path = document["path"]

    def checked(**changes: object) -> "subprocess.CompletedProcess[str]":
        (tmp_path / "proof.json").write_text(json.dumps({**document, **changes}))
        files = [str(tmp_path / "proof.json"), str(tmp_path / "checkpoint.txt")]
        command = [sys.executable, "-I", str(CHECK), *files, str(first.said.key)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    good = checked()
    assert good.stdout.splitlines()[0].startswith("proven: event 9 of 17, log_")
    assert good.stdout.splitlines()[1] == '{"version": 2}'
    for changes in ({"position": 8}, {"record": "Zm9yZ2Vk"}, {"path": path[::-1]}):
        assert checked(**changes).stderr.startswith("NOT PROVEN: the proof does not lead")
    # Two hashes in one: without a look at their number any leaf would lead to the root.
    for forged in (path[1:], [*path, path[0]], ["".join(path[-2:])]):
        assert checked(path=forged, record="").stderr.startswith("NOT PROVEN: the path is not")
    text = str(latest.note).replace("\n17\n", "\n18\n")
    (tmp_path / "checkpoint.txt").write_text(text)
    assert checked().stderr.startswith("NOT PROVEN: the key has not signed")


async def _fill(server: NatsServer, payloads: list[bytes]) -> None:
    client = await connect(server.url("admin"), "test")
    await create(client, EVENTS)
    log = EventLog(client)
    for version, payload in enumerate(payloads, 1):
        await log.append([StoredEvent("run-a", version, "thing.happened.v1", payload)])
    await client.close()


async def _seal(server: NatsServer, keys: KeyRing) -> None:
    client = await connect(server.url("writer"), "test")
    with closing(Checkpointer(client, server.url("writer"), keys)) as checkpointer:
        assert await checkpointer.step(now=True)
    await client.close()


async def _administer(server: NatsServer, subject: str) -> None:
    client = await connect(server.url("admin"), "test")
    await client.request(subject, b"", 2)
    await client.close()


async def _make_ledger(server: NatsServer) -> None:
    client = await connect(server.url("admin"), "test")
    await create(client, AUDIT)
    await client.close()


def _verified(folder: Path) -> str:
    """What verification finds in a folder where no broker runs."""
    with copied_record(folder) as url:
        with BulkReader(url, "AUDIT") as reader:
            ledger = list(messages(reader, Place()))
            history = read_history(ledger, again=lambda place: ledger[place - 1])
        with BulkReader(url, "EVENTS") as reader:
            result = verify(reader, Layout(), history)
    assert history.faults == []
    found = result.finding
    return f"{found.position} {found.what}" if found else f"intact {result.covered}"


async def test_a_store_that_was_altered_at_rest_is_found_out(tmp_path: Path) -> None:
    payloads = [b'{"loss": 0.%02d}' % number for number in range(40)]
    with DataFolder(tmp_path / "data") as folder:
        server = NatsServer(folder)
        server.start()
        try:
            await _fill(server, payloads)
            await _make_ledger(server)
            await _seal(server, KeyRing(folder.path))
            await asyncio.to_thread(server.stop)
            assert await asyncio.to_thread(_verified, folder.path) == "intact 40"

            (blocks,) = folder.path.glob("nats/store/jetstream/$G/streams/EVENTS/msgs/1.blk")
            stored = blocks.read_bytes()
            blocks.write_bytes(stored.replace(b'{"loss": 0.25}', b'{"loss": 0.24}'))
            found = await asyncio.to_thread(_verified, folder.path)
            # The broker's own checksum does not fit: it serves nothing from there on.
            assert found == "26 events from position 26 on are missing"
            blocks.write_bytes(stored)

            server.start()
            await _administer(server, "$JS.API.STREAM.DELETE.EVENTS")
            forged = [b'{"loss": 0.01}' if b"0.25" in each else each for each in payloads]
            await _fill(server, forged)  # by its own rules: every chain fits
        finally:
            await asyncio.to_thread(server.stop)
        command = [*COMMAND, "audit", "verify", "--json", "--backup", str(folder.path / "nats")]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
        told = json.loads(done.stdout)
        assert (done.returncode, told["intact"], told["faults"]) == (1, False, [])
        assert told["finding"] == {
            "position": 1,
            "entity": "run-a",
            "version": 1,
            "what": "the event is not the one that was signed",
        }
    with pytest.raises(NoRecord), copied_record(tmp_path):
        pass
