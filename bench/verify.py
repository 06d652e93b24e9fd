"""Verification of the whole record, beside reading and hashing the same bytes and doing no more.

Also what being evidence costs for each event, on the way of an append and behind it.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from threading import Event
from time import perf_counter, sleep
from uuid import uuid4

import uvloop
from eventsourcing.persistence import StoredEvent

from bench.figure import Figure
from bench.lifecycles import lifecycles
from bench.machine import Servers, running_servers
from infra.audit.checkpointer import MOST_EVENTS, Checkpointer
from infra.audit.history import read_history
from infra.audit.keyring import KeyRing
from infra.audit.ledger import Place, messages, unpack
from infra.audit.verify import verify
from infra.event_log.appending import MAX_BATCH
from infra.event_log.bulk_read import BulkReader
from infra.event_log.chain import chain_hash
from infra.event_log.layout import Layout
from infra.event_log.log import EventLog
from infra.logging import set_up_logging
from infra.nats_connection import connect
from workers.sealing import seal

_EVENTS = 60_000
_ROUNDS = 5
_APPENDS = 2000
_CHAIN_ROUNDS = 20_000
_PAGE = 500


def run() -> Iterator[Figure]:
    """The figures of `verify`."""
    with running_servers() as servers:
        alone, beside, chain_s = uvloop.run(_costs(servers))
        end = uvloop.run(_fill(servers))
        ours, floor = [], []
        for _ in range(_ROUNDS):
            ours.append(end / _verified(servers.nats["reader"], end))
            floor.append(end / _read_and_hashed(servers.nats["reader"]))
    note = f"{end} events with {end // MOST_EVENTS} checkpoints or more; floor in events/s"
    yield Figure("verify.events_per_s", median(ours), "1/s", _ROUNDS, median(floor), None, note)
    share = chain_s / alone + max(beside / alone - 1, 0)
    note = (
        f"{_APPENDS} durable appends in turn, {alone * 1e6:.0f} us each, {beside * 1e6:.0f} us "
        f"beside a process that seals them; the chain hash {chain_s * 1e6:.1f} us"
    )
    yield Figure("verify.chain_cost_share", share, "1", _ROUNDS, None, None, note)


async def _costs(servers: Servers) -> tuple[float, float, float]:
    """Seconds of one durable append, alone and beside the custodian's sealing, and of its chain."""
    client = await connect(servers.nats["writer"], "bench")
    log, events = EventLog(client), lifecycles(_EVENTS, seed=1)
    alone, beside = [], []
    for _ in range(_ROUNDS):
        alone.append(await _appended(log, events))
        process = get_context("spawn").Process(
            target=_seal_beside, args=(servers.nats["writer"], servers.scratch)
        )
        process.start()
        last = await log.last()
        assert last is not None
        await asyncio.to_thread(_await_sealing, last.position, servers.nats["reader"])
        beside.append(await _appended(log, events))
        process.kill()
        process.join()
    await client.close()
    ratio = median(b / a for a, b in zip(alone, beside, strict=True))
    return median(alone), ratio * median(alone), _chained(next(events))


async def _appended(log: EventLog, events: Iterator[StoredEvent]) -> float:
    start = perf_counter()
    for event in islice(events, _APPENDS):
        await log.append([event])
    return (perf_counter() - start) / _APPENDS


def _seal_beside(url: str, folder: Path) -> None:
    """What the custodian does of it, in a process of its own."""

    async def work() -> None:
        client = await connect(url, "bench")
        await seal(Checkpointer(client, url, KeyRing(folder)), Event())

    set_up_logging("bench")
    os.nice(10)
    asyncio.run(work())


def _await_sealing(end: int, url: str) -> None:
    """Return once everything is sealed, so that no backlog is counted."""
    with BulkReader(url, Place().stream) as reader:
        while not (found := reader.last(Place().subject)) or unpack(found).size < end:
            sleep(0.05)


def _chained(event: StoredEvent) -> float:
    """Seconds of one chain hash."""
    subject, hash_ = Layout().event(uuid4(), 1), ""
    start = perf_counter()
    for _ in range(_CHAIN_ROUNDS):
        hash_ = chain_hash(hash_, subject, event.topic, event.state)
    return (perf_counter() - start) / _CHAIN_ROUNDS


async def _fill(servers: Servers) -> int:
    """A long record, sealed; answers the position of its end."""
    client = await connect(servers.nats["writer"], "bench")
    log, url = EventLog(client), servers.nats["writer"]
    events, end = lifecycles(_EVENTS), 0
    while batch := list(islice(events, MAX_BATCH)):
        (*_, end) = await log.append(batch)
    with closing(Checkpointer(client, url, KeyRing(servers.scratch))) as checkpointer:
        while await checkpointer.step(now=True):
            pass
    await client.close()
    return end


def _verified(url: str, end: int) -> float:
    """Seconds of what `hansard audit verify` does."""
    start = perf_counter()
    with BulkReader(url, Place().stream) as reader:
        history = read_history(messages(reader, Place()))
    with BulkReader(url, Layout().stream) as reader:
        result = verify(reader, Layout(), history)
    taken = perf_counter() - start
    assert (result.finding, result.covered, history.faults) == (None, end, [])
    return taken


def _read_and_hashed(url: str) -> float:
    """Seconds for the same bytes, each message hashed once."""
    layout = Layout()
    start = perf_counter()
    with BulkReader(url, layout.stream) as reader:
        for page in reader.stored_pages(0, _PAGE, layout.everything):
            for message in page:
                sha256(message.head + message.payload).digest()
    return perf_counter() - start
