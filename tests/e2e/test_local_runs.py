"""Runs in a process of one's own, with a platform that is there, comes late, or loses them."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from hansard import Client
from hansard.client_errors import NotFound
from hansard.formats.points import RECORD
from hansard.formats.points_reader import Reader
from tests.e2e.platform import Up, eventually, hansard_command, platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up") / "data"
    with platform(folder, "local", HANSARD_OUTSIDE_SILENCE_S="4") as up:
        yield up


@pytest.fixture
def client(up: Up) -> Iterator[Client]:
    with up.client() as client:
        yield client


def script(up: Up | None, spool: Path, body: str) -> "subprocess.Popen[str]":
    """A script with one run, with a platform or without."""
    source = "import os, time, hansard\nwith hansard.start_run('try', {'lr': 0.1}) as run:\n"
    source += textwrap.indent("print(run.id, flush=True)\n" + textwrap.dedent(body), "    ")
    known = {"HANSARD_URL": up.url, "HANSARD_TOKEN": up.token} if up else {}
    environment = {"PATH": os.environ["PATH"], "HOME": str(spool.parent), **known}
    return subprocess.Popen(
        [sys.executable, "-c", source],
        env={**environment, "HANSARD_SPOOL": str(spool)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_run_is_told_as_it_goes_and_how_it_ended(up: Up, client: Client, tmp_path: Path) -> None:
    with script(
        up,
        tmp_path / "spool",
        """
        for step in range(100):
            hansard.log_metric("loss", 1 / (step + 1))
        hansard.log_text("sample", "a text")
        run.result(best=0.01)
        """,
    ) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    ended = client.wait(out.strip(), timeout_s=60)
    assert (ended.status, ended.results) == ("succeeded", {"best": 0.01})
    assert (ended.backend, ended.metric_points) == ("outside", 100)
    assert ended.logged is not None
    assert ended.logged["params"] == {"lr": 0.1}
    assert ended.logged["texts"][0]["text"] == "a text"
    eventually(lambda: client.runs.metrics(ended.id), "the metrics")
    assert client.runs.metrics(ended.id)[0].points == 100
    assert list((tmp_path / "spool").iterdir()) == []


def test_an_exception_fails_the_run(up: Up, client: Client, tmp_path: Path) -> None:
    with script(up, tmp_path / "spool", "raise ValueError('no good')") as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    ended = client.wait(out.strip(), timeout_s=60)
    assert (ended.status, ended.reason) == ("failed", "ValueError: no good"), err
    assert ended.failure is not None
    assert "no good" in ended.failure["traceback"]


def test_a_killed_process_is_lost_after_a_silence_and_its_points_come_with_a_sync(
    up: Up, client: Client, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    with script(
        up, spool, "while True:\n    hansard.log_metric('loss', 1.0)\n    time.sleep(0.001)"
    ) as process:
        run = opened(client, process)
        eventually(lambda: client.runs.metrics(run), "a metric")
        process.kill()
    ended = client.wait(run, timeout_s=60)
    assert (ended.status, ended.metric_points) == ("lost", None)
    logged = sum(
        len(batch.records) // RECORD.size for batch in Reader(spool / run / "step").read_new(10**6)
    )
    assert "the platform had given it up" in synced(up, spool)
    eventually(
        lambda: [m for m in client.runs.metrics(run) if m.points == logged], "all points", 60
    )
    assert "nothing to deliver" in synced(up, spool)


def test_a_run_without_a_platform_is_delivered_later_and_once(
    up: Up, client: Client, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    body = "for step in range(10_000):\n    hansard.log_metric('loss', float(step))\n"
    with script(None, spool, body) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "hansard sync" in err
    assert "delivered" in synced(up, spool)
    ended = client.wait(out.strip(), timeout_s=60)
    assert (ended.status, ended.metric_points) == ("succeeded", 10_000)
    counted = eventually(
        lambda: [m for m in client.runs.metrics(ended.id) if m.points == 10_000], "all points"
    )
    assert counted[0].step == 9_999


def test_a_run_can_be_cancelled_from_the_platform(up: Up, client: Client, tmp_path: Path) -> None:
    with script(up, tmp_path / "spool", "time.sleep(60)") as process:
        run = opened(client, process)
        client.runs.cancel(run, "enough")
        assert process.wait(40) != 0
    assert client.wait(run, timeout_s=60).status == "cancelled"


def opened(client: Client, process: "subprocess.Popen[str]") -> str:
    """The id of a script's run once the platform knows it."""

    def known() -> bool:
        try:
            return bool(client.runs.get(run))
        except NotFound:
            return False

    assert process.stdout is not None
    run = process.stdout.readline().strip()
    eventually(known, "the run")
    return run


def synced(up: Up, spool: Path) -> str:
    done = subprocess.run(
        [hansard_command(), "sync", "--folder", str(spool)],
        env={**os.environ, "HANSARD_URL": up.url, "HANSARD_TOKEN": up.token},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
