"""Metric points: from publish to rows that can be queried, their size there, the cost of logging.

Publisher, broker, projector and PostgreSQL are four processes on two cores.
"""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.figure import Figure
from bench.machine import Servers, running_servers, scratch_folder
from bench.metric_traffic import POINTS_A_FRAME, publish
from hansard.formats.ids import new_id
from infra.database import Connection, connect, migrate
from infra.telemetry import Source
from projections.rebuild import LIVE, MIGRATIONS

_RUNS = 4
_FRAMES = 800
_POINTS = _RUNS * _FRAMES * POINTS_A_FRAME
_ROUNDS = 5
_TABLES = ("metric_chunk", "metric_tail", "metric_latest", "frame_mark")
_POLL_S = 0.02
_DEADLINE_S = 120.0


def run() -> Iterator[Figure]:
    """The figures of `metrics`."""
    with running_servers() as servers:
        migrate(servers.postgres, LIVE, MIGRATIONS)
        with connect(servers.postgres, LIVE) as connection, _projector(servers):
            rates = [_POINTS / _ship(servers, connection) for _ in range(_ROUNDS)]
            size = _bytes_a_point(connection)
    note = f"{_POINTS} points of {_RUNS} runs, {POINTS_A_FRAME} in a message"
    yield Figure("metrics.points_per_s", median(rates), "1/s", _ROUNDS, note=note)
    note = "floor: 8 bytes of value and 4 of time; steps are evenly spaced"
    yield Figure("metrics.bytes_per_point", size, "B", _POINTS * _ROUNDS, 12, note=note)
    yield _log_metric()


@contextmanager
def _projector(servers: Servers) -> Iterator[None]:
    """The projector's own process, following the record."""
    environment = {
        **os.environ,
        "HANSARD_POSTGRES_URL": servers.postgres,
        "HANSARD_NATS_READER_URL": servers.nats["reader"],
        "HANSARD_DATA_DIR": str(servers.scratch),
    }
    process = subprocess.Popen([sys.executable, "-m", "projections.main"], env=environment)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _ship(servers: Servers, connection: Connection) -> float:
    """Seconds from the first publish until the last point can be queried."""
    sources = [Source("local", "project-1", "experiment-1", new_id("run"), 1) for _ in range(_RUNS)]
    runs = [source.run for source in sources]
    processes = multiprocessing.get_context("spawn")
    began = processes.Value("d", 0.0)
    arguments = (servers.nats["telemetry"], sources, _FRAMES, began)
    publisher = processes.Process(target=publish, args=arguments)
    publisher.start()
    _await(connection, f"sum(points) = {_POINTS}", runs)
    taken = time.monotonic() - float(began.value)
    publisher.join()
    assert publisher.exitcode == 0
    _await(connection, "bool_and(ended AND tail_frames = 0)", runs)  # and so compacted
    return taken


def _await(connection: Connection, condition: str, runs: list[str]) -> None:
    query = f"SELECT {condition} FROM frame_mark WHERE run = ANY(%s)"
    deadline = time.monotonic() + _DEADLINE_S
    while connection.execute(query, (runs,)).fetchone() != (True,):
        assert time.monotonic() < deadline, "the points did not arrive"
        time.sleep(_POLL_S)


def _bytes_a_point(connection: Connection) -> float:
    """Tables, their indexes and what they keep out of line, over all points in them."""
    for table in _TABLES:
        connection.execute(f"VACUUM {table}")
    row = connection.execute(
        "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) AS name",
        (list(_TABLES),),
    ).fetchone()
    assert row is not None
    return float(row[0]) / (_POINTS * _ROUNDS)


def _log_metric() -> Figure:
    with scratch_folder() as folder:
        probe = str(Path(__file__).with_name("log_metric_probe.py"))
        answer = subprocess.run(
            [sys.executable, "-I", probe],
            env={**os.environ, "HANSARD_STEP_DIR": str(folder)},
            check=True,
            capture_output=True,
        )
    found = json.loads(answer.stdout)
    note = f"p99 {found['p99'] / 1000:.2f} us; a fresh process, one call at a time"
    return Figure("metrics.log_metric_us", found["p50"] / 1000, "us", found["calls"], note=note)
