"""Events into registry tables: the follower's batches beside one event a transaction.

The peer folds with the same functions into the same tables; only its batches hold one event.
"""

from collections.abc import Iterator
from itertools import islice
from statistics import median
from time import perf_counter

import uvloop

from bench.figure import Figure
from bench.lifecycles import lifecycles
from bench.machine import Servers, running_servers
from infra.database import Connection, connect, migrate
from infra.event_log.appending import MAX_BATCH
from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from infra.event_log.log import EventLog
from infra.nats_connection import connect as connect_nats
from projections.projector import events_follower
from projections.read_event import read_event
from projections.rebuild import MIGRATIONS
from projections.registries import fold_events

_EVENTS = 60_000
_SAMPLE = 1500
_ROUNDS = 5


def run() -> Iterator[Figure]:
    """The figures of `projector`."""
    with running_servers() as servers:
        uvloop.run(_fill(servers.nats["writer"]))
        ours, peer = [], []
        for number in range(_ROUNDS):
            ours.append(_EVENTS / _follow_all(servers, f"ours_{number}"))
            peer.append(_SAMPLE / _one_by_one(servers, f"peer_{number}"))
    ratio = median(o / p for o, p in zip(ours, peer, strict=True))
    note = f"{_EVENTS} events of interleaved runs; peer in events/s, on {_SAMPLE} of them"
    yield Figure("projector.vs_row_at_a_time", ratio, "x", _ROUNDS, None, median(peer), note)
    yield Figure("projector.events_per_s", median(ours), "1/s", _ROUNDS, None, median(peer), note)


async def _fill(url: str) -> None:
    client = await connect_nats(url, "bench")
    log = EventLog(client)
    events = lifecycles(_EVENTS)
    while batch := list(islice(events, MAX_BATCH)):
        await log.append(batch)
    await client.close()


def _tables(servers: Servers, schema: str) -> Connection:
    migrate(servers.postgres, schema, MIGRATIONS)
    return connect(servers.postgres, schema)


def _follow_all(servers: Servers, schema: str) -> float:
    """Seconds in which the projector's own follower brings empty tables up to date."""
    with _tables(servers, schema) as connection:
        follower = events_follower(connection, servers.nats["reader"], Layout())
        start = perf_counter()
        while follower.step():
            pass
        taken = perf_counter() - start
        assert follower.position() == _EVENTS
        follower.close()
    return taken


def _one_by_one(servers: Servers, schema: str) -> float:
    """Seconds for the first events of the log: decode, fold and position in one transaction."""
    layout = Layout()
    with (
        _tables(servers, schema) as connection,
        BulkReader(servers.nats["reader"], layout.stream) as reader,
    ):
        start = perf_counter()
        for message in reader.read_after(0, _SAMPLE, layout.everything):
            event = read_event(layout, message)
            with connection.transaction():
                fold_events(connection, [event])
                connection.execute(
                    "UPDATE tracking SET position = %s WHERE stream = 'EVENTS'", (event.position,)
                )
        return perf_counter() - start
