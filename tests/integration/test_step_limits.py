"""Each limit of a step acts, and its run says which one it was."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.levels import needs_bubblewrap
from tests.integration.node_box import DEADLINE_S, Node, job, node, until

pytestmark = pytest.mark.parametrize(
    "level", ["limits", pytest.param("bubblewrap", marks=needs_bubblewrap)]
)


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def box(tmp_path: Path, environments: Path) -> Iterator[Node]:
    with node(tmp_path, environments) as made:
        yield made


def end_of(box: Node, level: str, body: str, **limits: Any) -> dict[str, Any]:
    source = "import os, time, ctypes, hashlib, signal\n" + job(body)
    return box.run(box.spec(source, sandbox=level, **limits))


def test_memory(box: Node, level: str) -> None:
    body = "kept = []\nwhile True:\n    kept.append(os.urandom(2**20))"
    end = end_of(box, level, body, memory_mb=150)
    assert end["outcome"] == "failed"
    assert end["reason"].startswith("out of memory: it used 1")
    assert end["reason"].endswith(" of 150 MB")


def test_memory_of_all_processes_together(box: Node, level: str) -> None:
    body = (
        "for _ in range(4):\n"
        "    if os.fork() == 0:\n"
        "        kept = os.urandom(60 * 2**20)\n"
        "        time.sleep(60)\n"
        "while True:\n"
        "    pid, status = os.wait()\n"
        "    os.kill(os.getpid(), status & 127)"
    )
    end = end_of(box, level, body, memory_mb=200)
    assert (end["outcome"], end["reason"].partition(":")[0]) == ("failed", "out of memory")


def test_memory_within_the_limit_is_there_to_be_used(box: Node, level: str) -> None:
    end = end_of(box, level, "return {'n': len(os.urandom(80 * 2**20))}", memory_mb=200)
    assert (end["outcome"], end["results"]) == ("succeeded", {"n": 80 * 2**20})


def test_disk(box: Node, level: str) -> None:
    body = (
        "for n in range(10**6):\n"
        "    open(f'f{n}', 'wb').write(os.urandom(2**20))\n"
        "    time.sleep(0.01)"
    )
    end = end_of(box, level, body, disk_mb=20)
    assert (end["outcome"], end["reason"].partition(":")[0]) == ("failed", "out of disk")
    assert end["reason"].endswith(" of 20 MB")


def test_one_large_file(box: Node, level: str) -> None:
    end = end_of(box, level, "open('f', 'wb').truncate(30 * 2**20)", disk_mb=20)
    assert end["outcome"] == "failed"
    assert end["reason"] == "OSError: [Errno 27] File too large"


FORKS = """
while True:
    try:
        os.fork()
    except OSError:
        time.sleep(0.01)
"""


def test_a_fork_bomb(box: Node, level: str) -> None:
    end = end_of(box, level, FORKS, processes=64, wall_time_s=DEADLINE_S - 5)
    assert end["outcome"] == "failed"
    assert end["reason"] == "out of processes: it started more than 64, threads included"


def test_a_step_that_goes_on_in_its_grace_is_too_late(box: Node, level: str) -> None:
    """It ignores the signal, and is done with a result before it is killed."""
    body = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(2)\nreturn {'late': True}"
    end = end_of(box, level, body, wall_time_s=1.0, grace_s=20.0)
    assert (end["outcome"], end["exit_code"], end["results"]) == ("failed", 0, {})
    assert end["reason"] == "wall-time: it ran longer than 1 s"


def test_a_cancel_ends_a_call_that_does_not_come_back(box: Node, level: str) -> None:
    """Python runs no handler within a call of C: the step is killed after its grace."""
    body = "print('begun')\nhashlib.pbkdf2_hmac('sha256', b'a', b'b', 2**30)"
    spec = box.spec("import hashlib\n" + job(body), sandbox=level)
    launcher = box.start(spec)
    until(lambda: box.lines(spec))
    box.folder(spec).cancel.touch()
    begun = time.monotonic()
    launcher.communicate(timeout=DEADLINE_S)
    end = box.statuses(spec)[-1]
    assert (end["outcome"], end["signal"]) == ("cancelled", 9)
    assert time.monotonic() - begun > spec.grace_s


def test_nothing_of_the_limits_is_left_on_the_node(box: Node, level: str) -> None:
    spec = box.spec(job("pass"), sandbox=level)
    box.run(spec)
    left = list(Path("/sys/fs/cgroup").rglob(f"hansard-*{spec.run}*"))
    assert left == []
