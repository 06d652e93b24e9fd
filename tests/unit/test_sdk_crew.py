"""A step with several workers: ranks, one record, one failure, one end."""

import signal
from pathlib import Path

import pytest

from hansard.formats.points_reader import Reader
from tests.unit.step_box import Box
from tests.unit.test_sdk_runner_end import alive, wait_for

SOURCE = """
import json, os, pathlib, time

RANK = int(os.environ["RANK"])

class Job(hansard.Executor):
    def execute(self):
        pathlib.Path(f"part-{{RANK}}").write_text(str(os.getpid()))
        pathlib.Path(f"part-{{RANK}}").rename(f"pid-{{RANK}}")
        hansard.log_metric("rank", RANK)
        {body}
"""


@pytest.fixture
def box(tmp_path: Path) -> Box:
    box = Box(tmp_path)
    box.step["workers"] = 2
    return box


def doing(box: Box, body: str) -> None:
    lines = f"\n{' ' * 8}".join(body.splitlines())
    path = box.bundle("job", job="import hansard\n" + SOURCE.format(body=lines))
    box.step["executor"] = {"path": path, "entry": "job:Job", "parameters": {}}


def gone(box: Box, rank: int) -> bool:
    return not alive(int((box.root / f"pid-{rank}").read_text()))


def test_all_workers_run_and_the_first_one_is_the_record(box: Box) -> None:
    told = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    doing(box, f"return {{name: os.environ[name] for name in {told}}}")
    result = box.result()
    assert 0 < int(result.pop("MASTER_PORT")) < 65536
    assert result == {
        "RANK": "0",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
    }
    batches = Reader(box.root).read_new()
    values = [v for batch in batches for column in batch.columns() for v in column.values]
    assert values == [0.0]
    assert gone(box, 1)


def test_the_failure_of_one_ends_all(box: Box) -> None:
    doing(box, "if RANK: raise ValueError('no more data')\ntime.sleep(60)")
    failure = box.failure()
    assert (failure["type"], failure["message"]) == ("ValueError", "worker 1: no more data")
    assert "in execute" in failure["traceback"]


def test_the_death_of_one_ends_all(box: Box) -> None:
    doing(box, "if RANK: os.kill(os.getpid(), 9)\ntime.sleep(60)")
    assert box.failure()["message"] == "worker 1 was killed by signal 9"


def test_the_failure_of_the_first_ends_the_others(box: Box) -> None:
    doing(box, "if RANK: time.sleep(60)\nraise ValueError('mine')")
    assert box.failure()["message"] == "mine"
    assert gone(box, 1)


def test_a_failure_at_the_very_end_counts(box: Box) -> None:
    doing(box, "if RANK: time.sleep(0.3); raise ValueError('late')\nreturn {}")
    assert box.failure()["message"] == "worker 1: late"


def test_all_are_cancelled(box: Box) -> None:
    body = """try:
    pathlib.Path(f"ready-{RANK}").touch()
    time.sleep(60)
except hansard.Cancelled:
    pathlib.Path(f"cleaned-{RANK}").touch()
    raise"""
    doing(box, body)
    process = box.start()
    for rank in (0, 1):
        wait_for(box.root / f"ready-{rank}")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert (box.root / "cleaned-0").exists()
    assert (box.root / "cleaned-1").exists()
    assert gone(box, 1)
