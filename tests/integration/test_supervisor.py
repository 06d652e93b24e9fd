"""The supervisor: order, restarts with back-off, an orderly end, and healing of killed servers."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from structlog.testing import capture_logs

from infra.embedded.child import StartFailed, spawn, stop
from infra.embedded.data_folder import DataFolder
from infra.embedded.nats import NatsServer
from infra.embedded.postgres import PostgresServer
from infra.embedded.server import Server
from infra.embedded.supervisor import Service, Supervisor

_DEADLINE_S = 20.0


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def _supervise(supervisor: Supervisor, story: Callable[[], None]) -> None:
    """Run the supervisor here, as it must be, and the story beside it; then stop."""

    def told() -> None:
        try:
            story()
        finally:
            supervisor.request_stop()

    with ThreadPoolExecutor(1) as pool:
        telling = pool.submit(told)
        supervisor.run()
        telling.result()


def _sleeper(tmp_path: Path, seconds: str = "60") -> Callable[[], "subprocess.Popen[bytes]"]:
    command = ["/bin/sleep", seconds]
    return lambda: spawn(command, env={}, cwd=tmp_path, log=tmp_path / "sleep.log")


def _pid(supervisor: Supervisor, name: str) -> int:
    pid = supervisor.pid(name)
    assert pid is not None
    return pid


@pytest.mark.parametrize("kind", [NatsServer, PostgresServer])
def test_a_killed_server_is_healed_on_the_same_port(
    tmp_path: Path, kind: type[NatsServer] | type[PostgresServer]
) -> None:
    with DataFolder(tmp_path / "data") as folder:
        server: Server = kind(folder)
        supervisor = Supervisor([server.service()])

        def kill_twice() -> None:
            for _ in range(2):
                _until(lambda: supervisor.all_ready)
                pid, port = _pid(supervisor, server.name), server.port
                os.kill(pid, signal.SIGKILL)
                _until(lambda old=pid: supervisor.pid(server.name) not in (None, old))  # type: ignore[misc]
                _until(server.is_ready)
                assert server.port == port

        _supervise(supervisor, kill_twice)
        assert not server.is_ready()


def test_clients_of_a_killed_database_come_back_through_the_same_address(tmp_path: Path) -> None:
    with DataFolder(tmp_path / "data") as folder:
        server = PostgresServer(folder)
        supervisor = Supervisor([server.service()])

        def kill_under_a_client() -> None:
            _until(lambda: supervisor.all_ready)
            address = server.url()
            with psycopg.connect(address) as connection:
                connection.execute("create table t as select 7 as n")
            lasting = psycopg.connect(address)
            killed = _pid(supervisor, "postgres")
            os.kill(killed, signal.SIGKILL)
            _until(lambda: server.pid != killed and server.is_ready())
            with pytest.raises(psycopg.OperationalError):
                lasting.execute("select 1")
            lasting.close()
            with psycopg.connect(address) as connection:
                assert connection.execute("select n from t").fetchone() == (7,)

        _supervise(supervisor, kill_under_a_client)


def test_a_service_waits_for_those_it_comes_after_and_ends_before_them(tmp_path: Path) -> None:
    gate = threading.Event()
    first = Service("first", _sleeper(tmp_path), gate.is_set)
    second = Service("second", _sleeper(tmp_path), after=["first"])
    supervisor = Supervisor([first, second])

    def open_the_gate() -> None:
        _until(lambda: supervisor.pid("first") is not None)
        time.sleep(0.2)
        assert supervisor.pid("second") is None
        gate.set()
        _until(lambda: supervisor.all_ready)

    with capture_logs() as logs:
        _supervise(supervisor, open_the_gate)
    told = [(entry["event"], entry["service"]) for entry in logs]
    assert told == [
        ("service_started", "first"),
        ("service_started", "second"),
        ("service_stopped", "second"),
        ("service_stopped", "first"),
    ]


def test_a_service_that_keeps_dying_is_restarted_ever_more_slowly(tmp_path: Path) -> None:
    starts: list[float] = []

    def start() -> "subprocess.Popen[bytes]":
        starts.append(time.monotonic())
        return _sleeper(tmp_path, "0")()

    _supervise(Supervisor([Service("dying", start)]), lambda: _until(lambda: len(starts) >= 4))
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert pauses[0] >= 0.2
    assert pauses[1] >= 0.4
    assert pauses[2] >= 0.8


def test_a_service_that_cannot_start_is_tried_again_with_its_reason_told(tmp_path: Path) -> None:
    attempts = iter([StartFailed("no room"), None])

    def start() -> "subprocess.Popen[bytes]":
        if error := next(attempts):
            raise error
        return _sleeper(tmp_path)()

    supervisor = Supervisor([Service("late", start)])
    with capture_logs() as logs:
        _supervise(supervisor, lambda: _until(lambda: supervisor.all_ready))
    assert logs[0]["event"] == "service_start_failed"
    assert logs[0]["reason"] == "no room"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_supervisor_and_its_services(
    tmp_path: Path, number: signal.Signals
) -> None:
    supervisor = Supervisor([Service("one", _sleeper(tmp_path))])
    pids: list[int] = []

    def signal_ourselves() -> None:
        pids.append(_pid(supervisor, "one"))
        os.kill(os.getpid(), number)

    handler = signal.getsignal(number)
    supervisor.run(on_ready=signal_ourselves)
    assert signal.getsignal(number) is handler
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_child_that_ignores_its_stop_signal_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "trap '' TERM; echo deaf; while :; do sleep 0.1; done"
    child = spawn(["/bin/sh", "-c", script], env={"PATH": "/bin:/usr/bin"}, cwd=tmp_path, log=log)
    _until(lambda: log.read_text() == "deaf\n")
    stop(child, [(signal.SIGTERM, 0.2)])
    assert child.returncode == -signal.SIGKILL
