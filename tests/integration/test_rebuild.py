"""Rebuilding the read models: equal to the live ones, beside live traffic, and whatever came."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from domain.abstraction import Abstraction
from domain.experiment import Experiment
from domain.version import Version
from hansard.formats.ids import new_id
from infra.database import connect, migrate
from projections.projector import events_follower
from projections.rebuild import LIVE, MIGRATIONS, Rebuilt, compare, rebuild, renew
from tests.integration.conftest import Servers
from tests.integration.lab import PROJECT, Lab, random_history
from tests.integration.lab import lab as open_lab
from tests.unit.stories import SOURCE, a_request


@pytest.fixture
async def lab(servers: Servers) -> AsyncIterator[Lab]:
    """A lab in a database of its own, where the live read models may be swapped."""
    name = f"rebuild_{uuid4().hex[:8]}"
    with psycopg.connect(servers.postgres_superuser, autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} OWNER hansard")
        connection.execute(create.format(sql.Identifier(name)))
    url = servers.postgres.rpartition("/")[0] + f"/{name}"
    async with open_lab(replace(servers, postgres=url)) as lab:
        migrate(url, LIVE, MIGRATIONS)
        yield lab


@contextmanager
def projecting(lab: Lab) -> Iterator[None]:
    """A projector of the live read models, which comes back after an error as the process does."""
    stopped = threading.Event()
    failed: list[psycopg.Error] = []

    def project() -> None:
        with connect(lab.servers.postgres, LIVE) as connection:
            follower = events_follower(connection, lab.servers.nats["admin"], lab.layout)
            try:
                while not stopped.is_set():
                    follower.step(limit=5)
            except psycopg.Error as error:
                failed.append(error)
            finally:
                follower.close()

    thread = threading.Thread(target=project)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
    assert failed == []


async def rebuilt(lab: Lab) -> Rebuilt:
    arguments = (lab.servers.postgres, lab.servers.nats["admin"], lab.layout)
    return await asyncio.to_thread(rebuild, *arguments)


async def caught_up(lab: Lab) -> None:
    last = await lab.log.last()
    assert last is not None
    with connect(lab.servers.postgres, LIVE) as tables:
        while position(tables) < last.position:
            await asyncio.sleep(0.01)


def position(tables: psycopg.Connection[tuple[int]]) -> int:
    row = tables.execute("SELECT position FROM tracking WHERE stream = 'EVENTS'").fetchone()
    assert row is not None
    return row[0]


async def test_a_rebuild_of_any_history_is_equal(lab: Lab) -> None:
    await random_history(lab, seed=3, commands=200)
    bad = f"{lab.layout.aggregate(new_id('model'))}.1"
    await lab.publish(bad, b"?", "abstraction.registered.v1")
    with projecting(lab):
        await caught_up(lab)
    found = await rebuilt(lab)
    assert found.differing == []
    assert found.events > 100


async def test_rebuilds_beside_live_traffic_are_equal_and_lose_nothing(lab: Lab) -> None:
    stop = asyncio.Event()
    saved: list[str] = []

    async def write() -> None:
        while not stop.is_set():
            experiment = Experiment.create(new_id("experiment"), PROJECT, "one")
            await lab.save(experiment)
            saved.append(experiment.id)

    with projecting(lab):
        writing = asyncio.create_task(write())
        for _ in range(5):
            assert (await rebuilt(lab)).differing == []
        stop.set()
        await writing
        await caught_up(lab)
    with connect(lab.servers.postgres, LIVE) as tables:
        shown = {row[0] for row in tables.execute("SELECT id FROM experiment").fetchall()}
    assert shown == set(saved)


async def test_a_difference_is_found_and_mended(lab: Lab) -> None:
    await random_history(lab, seed=5, commands=30)
    with projecting(lab):
        await caught_up(lab)
    with connect(lab.servers.postgres, LIVE) as tables:
        tables.execute("UPDATE run SET name = 'changed by hand'")
    assert (await rebuilt(lab)).differing == ["run"]
    assert (await rebuilt(lab)).equal


async def test_rows_of_an_older_release_are_folded_anew_by_themselves(
    lab: Lab, tmp_path: Path
) -> None:
    url = lab.servers.postgres
    model = Abstraction.register(new_id("model"), PROJECT, "net")
    version = Version.of(model, new_id("version"), 1, SOURCE)
    await lab.save(model, version, a_request())
    with projecting(lab):
        await caught_up(lab)
    assert not await renewed(lab)
    first = tmp_path / "0001_read_models.sql"
    first.write_bytes((MIGRATIONS / first.name).read_bytes())
    migrate(url, "older", tmp_path)
    with connect(url, "older") as older:
        for table in ("abstraction", "version", "run", "tracking"):
            fill(older, table)
        older.execute(f"DROP SCHEMA {LIVE} CASCADE")
        older.execute(f"ALTER SCHEMA older RENAME TO {LIVE}")
    migrate(url, LIVE, MIGRATIONS)
    assert await renewed(lab)
    assert not await renewed(lab)
    with connect(url, LIVE) as tables:
        assert compare(tables, lab.folded()) == []


def fill(older: psycopg.Connection[Any], table: str) -> None:
    """What an older release knew of the rows of a table."""
    older.execute(
        f"TRUNCATE {table}; INSERT INTO {table} "
        f"SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(t))).* FROM {LIVE}.{table} t"
    )


async def renewed(lab: Lab) -> bool:
    arguments = (lab.servers.postgres, lab.servers.nats["admin"], lab.layout)
    return await asyncio.to_thread(renew, *arguments)


async def test_a_reader_of_several_tables_is_not_in_the_way_of_the_swap(lab: Lab) -> None:
    await random_history(lab, seed=6, commands=30)
    with projecting(lab):
        await caught_up(lab)
    with connect(lab.servers.postgres, LIVE) as reader:
        with reader.transaction():
            reader.execute("SELECT count(*) FROM metric_chunk")
            running = asyncio.create_task(rebuilt(lab))
            await asyncio.sleep(1)
            reader.execute("SELECT count(*) FROM metric_tail")
        assert (await running).equal
