"""Embedded Ray lives apart: nothing of it listens where others are, and runs work all the same."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from infra.embedded import network
from tests.e2e.platform import PARTS, Up, eventually, platform

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not network.can_be_own(), reason="this system allows no namespaces"),
]

SECRET = "secret-of-the-operator"
OURS = ("nats-server", "postgres", "api.main")
_LISTENING = "0A"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("apart") / "d"
    with platform(folder, "ray", AWS_SECRET_ACCESS_KEY=SECRET) as up, up.client() as client:
        client.push(PARTS / "ticker")
        yield up


def of_ray(up: Up) -> list[psutil.Process]:
    """Ray's processes, once its driver works, which is when all of them are there."""
    up.find("workers.ray_driver")
    eventually(lambda: up.find("gcs_server"), "Ray's head")
    words = ("gcs_server", "raylet", "ray::", "ray_driver", "/ray/")
    return [p for p in up.processes() if any(word in " ".join(p.cmdline()) for word in words)]


def test_a_run_works_and_nothing_of_ray_listens_outside_its_network(up: Up) -> None:
    with up.client() as client:
        run = client.wait(client.run("ticker", parameters={"points": 5}), timeout_s=120)
    assert run.status == "succeeded", run.reason
    ray = of_ray(up)
    assert len(ray) >= 4
    here = network_of("self")
    assert here not in {network_of(process.pid) for process in ray}
    opened = {opened for process in up.processes() for opened in sockets(process)}
    ours = {opened for process in up.processes() if is_ours(process) for opened in sockets(process)}
    assert opened & listeners() == ours & listeners() != set()


def test_neither_ray_nor_what_launches_steps_inherits_secrets(up: Up) -> None:
    launching = up.find("workers.launch_service")
    assert launching.environ()["HANSARD_DATA_DIR"] == str(up.folder)
    for process in (*of_ray(up), launching):
        variables = process.environ()
        assert SECRET not in variables.values()
        assert not {"HANSARD_NATS_URL", "HANSARD_POSTGRES_URL", "HANSARD_SECRET"} & set(variables)
    assert SECRET in psutil.Process(up.process.pid).environ().values()


def network_of(pid: int | str) -> int:
    return Path(f"/proc/{pid}/ns/net").stat().st_ino


def is_ours(process: psutil.Process) -> bool:
    line = " ".join(process.cmdline())
    return any(word in line for word in OURS)


def listeners() -> set[str]:
    """Inodes of all sockets that listen in the network we are in."""
    found = set()
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == _LISTENING:
                found.add(f"socket:[{fields[9]}]")
    return found


def sockets(process: psutil.Process) -> set[str]:
    """Inodes of the sockets that a process has open."""
    found = set()
    for link in Path(f"/proc/{process.pid}/fd").glob("*"):
        with suppress(OSError):  # closed meanwhile
            found.add(str(link.readlink()))
    return found
