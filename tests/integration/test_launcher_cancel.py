"""A cancel at any moment of an attempt, once or more: the attempt ends, and once."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.node_box import DEADLINE_S, Node, job, node, until
from workers.launch_spec import LaunchSpec

ENDLESS = 10**9
MODEL = """
class Mean(hansard.Model):
    def save(self, folder):
        (folder / "mean.txt").write_text("1")
"""
KEEPS = """
class Job(hansard.Executor):
    model: hansard.Slot[hansard.Model]
    def execute(self):
        print("done")
"""


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def box(tmp_path: Path, environments: Path) -> Iterator[Node]:
    with node(tmp_path, environments) as made:
        yield made


def only_end(box: Node, spec: LaunchSpec) -> dict[str, Any]:
    """The last word of an attempt, which is its only one."""
    statuses = box.statuses(spec)
    assert [status["state"] for status in statuses].count("ended") == 1
    assert statuses[-1]["state"] == "ended"
    return statuses[-1]


def test_while_inputs_are_fetched(box: Node) -> None:
    box.server.failures = ENDLESS  # a platform that answers nothing is asked again and again
    spec = box.spec(job("pass"))
    launcher = box.start(spec)
    until(lambda: box.server.failures < ENDLESS)
    box.folder(spec).cancel.touch()
    launcher.communicate(timeout=DEADLINE_S)
    assert only_end(box, spec)["outcome"] == "cancelled"
    assert "running" not in [status["state"] for status in box.statuses(spec)]


def test_while_outputs_are_committed(box: Node) -> None:
    box.run(box.spec(job("pass")))  # lock and environment are there from here on
    part = box.bundle(MODEL, "Mean", "model") | {"content": None, "weights": [], "keep": True}
    spec = box.spec(KEEPS, slots={"model": part})
    launcher = box.start(spec)
    until(lambda: box.statuses(spec) and box.statuses(spec)[-1]["state"] == "running")
    box.server.failures = ENDLESS
    until(lambda: box.lines(spec) and box.server.failures < ENDLESS)
    box.folder(spec).cancel.touch()
    launcher.communicate(timeout=DEADLINE_S)
    end = only_end(box, spec)
    assert (end["outcome"], end["outputs"]) == ("cancelled", [])


def test_twice_and_in_two_ways(box: Node) -> None:
    spec = box.spec("import time\n" + job('print("begun")\ntime.sleep(60)'))
    launcher = box.start(spec)
    until(lambda: box.lines(spec))
    box.folder(spec).cancel.touch()
    launcher.terminate()
    box.folder(spec).cancel.touch()
    launcher.terminate()
    launcher.communicate(timeout=DEADLINE_S)
    assert only_end(box, spec)["outcome"] == "cancelled"


@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.1, 0.2, 0.4])
def test_while_it_succeeds(box: Node, delay_s: float) -> None:
    """Whichever comes first, one of the two is told, and results only with success."""
    spec = box.spec("import time\n" + job('print("begun")\ntime.sleep(0.1)\nreturn {"a": 1}'))
    launcher = box.start(spec)
    until(lambda: box.lines(spec))
    time.sleep(delay_s)
    box.folder(spec).cancel.touch()
    launcher.communicate(timeout=DEADLINE_S)
    end = only_end(box, spec)
    assert (end["outcome"], end["results"]) in [("succeeded", {"a": 1}), ("cancelled", {})]
