"""Laws of the projector on real servers: once is twice, two are one, poison stays where it is."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from domain.abstraction import Abstraction
from hansard.formats.ids import new_id
from infra.database import Connection
from infra.event_log.layout import Layout
from infra.event_log.message import LogMessage
from policies.access import Listing, Permit
from policies.formula import TRUE
from policies.kinds import SCHEMAS
from projections.batch import BatchWriter
from projections.catalogue import MODELS
from projections.cursor import CursorSigner
from projections.page import PageRequest, read_one, read_page
from projections.read_event import read_event
from projections.rebuild import compare
from projections.registries import fold_events
from tests.integration.conftest import Servers
from tests.integration.lab import PROJECT, Lab, catch_up, random_history
from tests.integration.lab import lab as open_lab


@pytest.fixture
async def lab(servers: Servers) -> AsyncIterator[Lab]:
    async with open_lab(servers) as lab:
        yield lab


@pytest.mark.parametrize("seed", range(3))
async def test_any_history_folds_to_the_same_however_it_is_cut(lab: Lab, seed: int) -> None:
    await random_history(lab, seed, commands=250)
    chance = random.Random(seed)
    at_once = lab.folded()
    in_pieces = lab.folded(lambda: chance.choice([1, 2, 3, 20]))
    assert compare(at_once, in_pieces) == []
    assert rows(at_once, "dead_letter") == []
    assert len(rows(at_once, "run")) == 15


async def test_folding_everything_again_changes_nothing(lab: Lab) -> None:
    await random_history(lab, seed=7, commands=150)
    once, twice = lab.folded(), lab.folded()
    twice.execute("UPDATE tracking SET position = 0")
    catch_up(lab.follower(twice), lambda: 13)
    assert compare(once, twice) == []


async def test_a_batch_that_another_projector_has_written_is_not_written_again(lab: Lab) -> None:
    await lab.save(Abstraction.register(new_id("model"), PROJECT, "one"))
    connection = lab.folded()
    writer = BatchWriter(connection, "EVENTS", fold_events)
    (message,) = await lab.log.read_after(0, 10)
    assert writer.write(0, [read_event(lab.layout, message)], 1) is False
    assert writer.position() == 1


async def test_two_projectors_at_once_fold_like_one(lab: Lab) -> None:
    await random_history(lab, seed=11, commands=250)
    schema = lab.schema()
    connections = [lab.tables(schema) for _ in range(2)]
    followers = [lab.follower(connection) for connection in connections]
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(catch_up, follower, lambda: 9) for follower in followers]:
            await asyncio.wrap_future(done)
    assert compare(connections[0], lab.folded()) == []


async def test_a_projector_that_is_killed_loses_nothing_and_doubles_nothing(lab: Lab) -> None:
    await random_history(lab, seed=13, commands=400)
    schema = lab.schema()
    connection = lab.tables(schema)
    for attempt in range(3):
        process = _projector(lab, schema)
        try:
            while position(connection) < 40 * (attempt + 1):
                assert process.poll() is None
                await asyncio.sleep(0.002)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert position(connection) < position(lab.folded())
    catch_up(lab.follower(connection))
    assert compare(connection, lab.folded()) == []


def _projector(lab: Lab, schema: str) -> "subprocess.Popen[bytes]":
    told = {
        "LAB_STREAM": lab.layout.stream,
        "LAB_PREFIX": lab.layout.prefix,
        "LAB_SCHEMA": schema,
        "LAB_NATS": lab.servers.nats["admin"],
        "LAB_POSTGRES": lab.servers.postgres,
    }
    command = [sys.executable, "-m", "tests.integration.projector_process"]
    return subprocess.Popen(command, env={**os.environ, **told})


ENVELOPE = {"actor": "user-1", "time": "2030-01-02T00:00:00+00:00", "request": "r"}
TAGGED = "abstraction.tagged.v1"
ADDED = "abstraction.version_added.v1"
BORN = "abstraction.registered.v1"


def stored(**data: Any) -> bytes:
    return orjson.dumps({"data": data, **ENVELOPE})


POISON: dict[str, tuple[str, bytes]] = {
    "not JSON": (TAGGED, b"{"),
    "no text": (TAGGED, b"\xff\xfe"),
    "nothing": (TAGGED, b""),
    "a list": (TAGGED, b"[]"),
    "null": (TAGGED, b"null"),
    "no data": (TAGGED, orjson.dumps(ENVELOPE)),
    "data of another form": (TAGGED, orjson.dumps({"data": [1], **ENVELOPE})),
    "NUL in jsonb": (TAGGED, stored(tags={"a": "\0"})),
    "an unknown member": (TAGGED, stored(tags={}, colour="red")),
    "null where something must be": ("abstraction.renamed.v1", stored(name=None)),
    "no time": (TAGGED, orjson.dumps({"data": {"tags": {}}, "actor": "user-1"})),
    "a time that is none": (TAGGED, orjson.dumps({"data": {}, **ENVELOPE, "time": "soon"})),
    "text too deep": (TAGGED, b'{"data":{"tags":' + b"[" * 2000 + b"]" * 2000 + b"}}"),
    "a wrong type": (TAGGED, stored(archived="perhaps")),
    "a number out of range": (ADDED, stored(number=2**40, version_id="v")),
}


@pytest.mark.parametrize("one_by_one", [True, False])
@pytest.mark.parametrize("what", POISON)
async def test_poison_is_buried_its_entity_hidden_and_all_others_go_on(
    lab: Lab, what: str, one_by_one: bool
) -> None:
    bad, good = (Abstraction.register(new_id("model"), PROJECT, name) for name in ("bad", "good"))
    await lab.save(bad, good)
    topic, payload = POISON[what]
    await lab.publish(f"{lab.layout.aggregate(bad.id)}.2", payload, topic)
    await lab.publish(f"{lab.layout.aggregate(bad.id)}.3", stored(tags={"a": "late"}), TAGGED)
    good.tag({"a": "b"})
    await lab.save(good)
    tables = lab.folded(lambda: 1 if one_by_one else 5000)
    assert [row[1:3] for row in rows(tables, "dead_letter")] == [(3, bad.id), (4, bad.id)]
    assert shown(tables) == [good.id]
    assert read_one(tables, MODELS, Permit("model", bad.id)) is None
    assert (read_one(tables, MODELS, Permit("model", good.id)) or {})["tags"] == {"a": "b"}
    (kept,) = [row for row in rows(tables, "abstraction") if row[0] == bad.id]
    assert kept[5] == {}
    assert position(tables) == 5


async def test_an_entity_that_never_was_is_buried(lab: Lab) -> None:
    orphan = new_id("model")
    await lab.publish(f"{lab.layout.aggregate(orphan)}.2", stored(tags={}), TAGGED)
    await lab.publish(f"{lab.layout.aggregate(new_id('run'))}.1", stored(name="x"), BORN)
    await lab.publish(f"{lab.layout.prefix}.odd", b"?")
    await lab.publish(f"{lab.layout.prefix}.model.x.y.z", stored(), BORN)
    tables = lab.folded()
    assert [row[1] for row in rows(tables, "dead_letter")] == [1, 2, 3, 4]
    assert shown(tables) == []


async def test_a_hundred_poisoned_entities_leave_the_others_whole(lab: Lab) -> None:
    bad, good = (
        [Abstraction.register(new_id("model"), PROJECT, f"{name}{n}") for n in range(20)]
        for name in ("bad", "good")
    )
    await lab.save(*bad, *good)
    for experiment in bad:
        await lab.publish(f"{lab.layout.aggregate(experiment.id)}.2", b"?", TAGGED)
    at_once, in_pieces = lab.folded(), lab.folded(lambda: 3)
    assert shown(at_once) == sorted(experiment.id for experiment in good)
    assert compare(at_once, in_pieces) == []


def test_an_event_is_read_from_its_message() -> None:
    message = LogMessage(9, "ev.run.1.3", "run.noted.v1", "", "", stored(note="x"), "")
    event = read_event(Layout(), message)
    assert (event.position, event.entity, event.version, event.data) == (
        9,
        "run-1",
        3,
        {"note": "x"},
    )
    assert (event.actor, event.time) == (ENVELOPE["actor"], ENVELOPE["time"])


def rows(connection: Connection, table: str) -> list[tuple[Any, ...]]:
    return connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()


def position(connection: Connection) -> int:
    return BatchWriter(connection, "EVENTS", fold_events).position()


def shown(connection: Connection) -> list[str]:
    everything = Listing(SCHEMAS["model"], TRUE, {}, "user-1", "")
    request, signer = PageRequest(limit=100), CursorSigner(b"s")
    page = read_page(connection, MODELS, everything, request, signer, datetime.now(UTC))
    return sorted(item["id"] for item in page.items)
