"""A series of a million points, compacted, answered at 2,000 points as the route answers it."""

from array import array
from collections.abc import Iterator
from random import Random
from statistics import median
from time import perf_counter

from api.answer import Answer
from bench.figure import Figure
from bench.machine import running_servers
from hansard.formats.frames import Column, Frame, Kind, pack_metrics, pack_status
from hansard.formats.ids import new_id
from infra.database import Connection, connect, migrate
from policies.access import Permit
from projections.compaction import compact
from projections.rebuild import LIVE, MIGRATIONS
from projections.series import as_json, read_series
from projections.telemetry import ReadFrame, fold_frames

_KEY = "train/loss"
_POINTS = 1_000_000
_POINTS_A_FRAME = 250
_FRAMES_A_BATCH = 100
_MAX_POINTS = 2000
_ROUNDS = 40
_START_MS = 1_767_225_600_000


def run() -> Iterator[Figure]:
    """The figure of `series`."""
    run_id = new_id("run")
    with running_servers() as servers:
        migrate(servers.postgres, LIVE, MIGRATIONS)
        with connect(servers.postgres, LIVE) as connection:
            _store(connection, run_id)
            connection.execute("VACUUM ANALYZE metric_chunk, metric_tail")
            taken, floor = [], []
            for _ in range(_ROUNDS):
                taken.append(_answer(connection, run_id))
                floor.append(_bare_read(connection))
    note = f"first answer {taken[0] * 1e3:.0f} ms; floor: ms to read the stored bytes, undecoded"
    value, least = median(taken) * 1e3, median(floor) * 1e3
    yield Figure("series.1m_to_2000_ms", value, "ms", _ROUNDS, least, note=note)


def _store(connection: Connection, run_id: str) -> None:
    """Fold and compact all points as the projector does while they arrive."""
    frames = [
        *(Frame(s, Kind.METRICS, _payload(s)) for s in range(1, _POINTS // _POINTS_A_FRAME + 1)),
        Frame(_POINTS // _POINTS_A_FRAME + 1, Kind.STATUS, pack_status({"state": "ended"})),
    ]
    for at in range(0, len(frames), _FRAMES_A_BATCH):
        batch = frames[at : at + _FRAMES_A_BATCH]
        fold_frames(connection, [ReadFrame(f.seq, run_id, "", run_id, 1, f) for f in batch])
        compact(connection)


def _payload(seq: int) -> bytes:
    first, random = (seq - 1) * _POINTS_A_FRAME, Random(seq)
    numbers = range(first, first + _POINTS_A_FRAME)
    values = array("d", (random.gauss(0, 1) for _ in numbers))
    times = array("q", (_START_MS + number for number in numbers))
    return pack_metrics([Column(_KEY, array("q", numbers), values, times)])


def _answer(connection: Connection, run_id: str) -> float:
    start = perf_counter()
    (buckets,) = read_series(connection, Permit("run", run_id), 1, [_KEY], _MAX_POINTS)
    answer = Answer({"items": [as_json(buckets)], "attempt": 1, "complete": True})
    taken = perf_counter() - start
    assert buckets.points == _POINTS
    assert len(answer.body) > _MAX_POINTS
    return taken


def _bare_read(connection: Connection) -> float:
    start = perf_counter()
    connection.execute("SELECT payload FROM metric_chunk", binary=True).fetchall()
    return perf_counter() - start
