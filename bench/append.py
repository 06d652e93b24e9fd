"""Durable appends: ours beside the library's PostgreSQL recorder and a bare write and fsync.

Also many writers over one, and the bulk reader over nats-py (its reason to exist).
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from statistics import median
from time import perf_counter
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import numpy as np
import uvloop
from eventsourcing.persistence import ApplicationRecorder, StoredEvent
from eventsourcing.postgres import PostgresFactory
from eventsourcing.utils import Environment

from bench.figure import Figure
from bench.machine import Servers, running_servers
from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from infra.event_log.log import EventLog
from infra.nats_connection import connect

_STATE = b'{"data": {"note": "' + b"x" * 180 + b'"}, "actor": "user-1", "request": "r"}'
_ROUNDS = 500
_WARM_UP = 50
_WRITERS = 32
_WRITER_ROUNDS = 9
_READ_EVENTS = 20_000
_READ_ROUNDS = 7
_PAGE = 1000


def run() -> Iterator[Figure]:
    """The figures of `append`, and `bulk_read.vs_nats_py`."""
    with running_servers() as servers:
        yield from uvloop.run(_measure(servers))


async def _measure(servers: Servers) -> list[Figure]:
    client = await connect(servers.nats["writer"], "bench")
    log = EventLog(client)
    figures = [*await _one_writer(log, servers), await _many_writers(log)]
    await log.append(_events(uuid4(), 1))
    figures.append(await _bulk_reads(log, servers))
    await client.close()
    return figures


async def _one_writer(log: EventLog, servers: Servers) -> list[Figure]:
    peer = _peer(servers.postgres)
    file = os.open(servers.scratch / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    seconds: dict[str, list[float]] = {"ours": [], "peer": [], "floor": []}
    order = list(seconds)
    for number, event in enumerate(_events(uuid4(), _WARM_UP + _ROUNDS)):
        for name in order:
            start = perf_counter()
            if name == "ours":
                await log.append([event])
            elif name == "peer":
                peer.insert_events([event])
            else:
                os.write(file, event.state)
                os.fsync(file)
            if number >= _WARM_UP:
                seconds[name].append(perf_counter() - start)
        order = order[1:] + order[:1]
    os.close(file)
    return _against(seconds)


def _against(seconds: dict[str, list[float]]) -> list[Figure]:
    ours, peer, floor = (median(seconds[name]) for name in ("ours", "peer", "floor"))
    note = f"p50 of ours {ours * 1e6:.0f} us, {len(_STATE)} B an event"
    return [
        Figure("append.vs_postgres_recorder", peer / ours, "x", _ROUNDS, floor, peer, note),
        Figure("append.p50_over_fsync", ours / floor, "x", _ROUNDS, floor, None, note),
    ]


def _peer(url: str) -> ApplicationRecorder:
    """The library's own recorder with its defaults, which commit durably."""
    parts = urlsplit(url)
    names = {
        "POSTGRES_DBNAME": parts.path[1:],
        "POSTGRES_HOST": parts.hostname or "",
        "POSTGRES_PORT": str(parts.port),
        "POSTGRES_USER": parts.username or "",
        "POSTGRES_PASSWORD": parts.password or "",
    }
    return PostgresFactory(Environment("bench", names)).application_recorder()


async def _many_writers(log: EventLog) -> Figure:
    one: list[float] = []
    many: list[float] = []
    waits: list[float] = []
    for _ in range(_WRITER_ROUNDS):
        one.append(await _rate(log, 1, 96, []))
        many.append(await _rate(log, _WRITERS, 24, waits))
    p50, p99 = np.percentile(waits, [50, 99]) * 1e3
    note = (
        f"{_WRITERS} writers {median(many):.0f}/s (p50 {p50:.1f} ms, p99 {p99:.1f} ms), "
        f"one {median(one):.0f}/s"
    )
    value = median(m / o for m, o in zip(many, one, strict=True))
    return Figure("append.concurrent_over_sequential", value, "x", _WRITER_ROUNDS, note=note)


async def _rate(log: EventLog, writers: int, each: int, waits: list[float]) -> float:
    """Events a second in total; `waits` takes the seconds of each append."""

    async def write(events: Sequence[StoredEvent]) -> None:
        for event in events:
            began = perf_counter()
            await log.append([event])
            waits.append(perf_counter() - began)

    work = [_events(uuid4(), each) for _ in range(writers)]
    start = perf_counter()
    await asyncio.gather(*(write(events) for events in work))
    return writers * each / (perf_counter() - start)


async def _bulk_reads(log: EventLog, servers: Servers) -> Figure:
    first = await log.last()
    assert first is not None
    for _ in range(_READ_EVENTS // _PAGE):
        await log.append(_events(uuid4(), _PAGE))
    ours: list[float] = []
    peer: list[float] = []
    with BulkReader(servers.nats["reader"], log.layout.stream) as reader:
        for _ in range(_READ_ROUNDS):
            ours.append(_read_in_bulk(reader, log.layout, first.position))
            peer.append(await _read_with_nats_py(log, first.position))
    value = median(p / o for o, p in zip(ours, peer, strict=True))
    note = (
        f"{_READ_EVENTS / median(ours):.0f} messages/s, nats-py {_READ_EVENTS / median(peer):.0f}"
    )
    return Figure("bulk_read.vs_nats_py", value, "x", _READ_ROUNDS, None, median(peer), note)


def _read_in_bulk(reader: BulkReader, layout: Layout, position: int) -> float:
    start = perf_counter()
    while page := reader.read_after(position, _PAGE, layout.everything):
        position = page[-1].position
    return perf_counter() - start


async def _read_with_nats_py(log: EventLog, position: int) -> float:
    start = perf_counter()
    while page := await log.read_after(position, _PAGE):
        position = page[-1].position
    return perf_counter() - start


def _events(aggregate: UUID, count: int) -> list[StoredEvent]:
    return [StoredEvent(aggregate, v, "bench.noted.v1", _STATE) for v in range(1, count + 1)]
