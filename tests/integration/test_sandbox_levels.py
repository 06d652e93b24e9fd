"""Whatever keeps a step apart, it ends in the same way, and nothing of it is left."""

import fcntl
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.levels import LEVELS
from tests.integration.node_box import DEADLINE_S, STUBBORN, Node, dead, job, node, until

pytestmark = pytest.mark.parametrize("level", LEVELS)


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def box(tmp_path: Path, environments: Path) -> Iterator[Node]:
    with node(tmp_path, environments) as made:
        yield made


def test_the_level_is_recorded_and_results_arrive(box: Node, level: str) -> None:
    spec = box.spec(job('print("done")\nreturn {"a": 1}'), sandbox=level)
    end = box.run(spec)
    assert (end["outcome"], end["results"], box.lines(spec)) == ("succeeded", {"a": 1}, {1: "done"})
    starting = box.statuses(spec)[0]
    assert starting["sandbox"] == level
    assert starting["facts"]["network"] is (level != "bubblewrap")
    assert bool(starting["facts"]["limits"]) is (level != "none")


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL", "SIGABRT"])
def test_death_by_a_signal_names_it(box: Node, level: str, name: str) -> None:
    source = "import os, signal\n" + job(f"os.kill(os.getpid(), signal.{name})")
    end = box.run(box.spec(source, sandbox=level))
    assert (end["outcome"], end["signal"]) == ("failed", getattr(signal, name))
    assert name in end["reason"]


def test_an_exit_status_without_a_result_is_told(box: Node, level: str) -> None:
    for code, reason in ((0, "left no result"), (3, "exited with status 3")):
        end = box.run(box.spec("import os\n" + job(f"os._exit({code})"), sandbox=level))
        assert (end["outcome"], end["exit_code"]) == ("failed", code)
        assert reason in end["reason"]


def test_a_step_that_ignores_sigterm_is_killed(box: Node, level: str) -> None:
    spec = box.spec(STUBBORN, sandbox=level)
    launcher = box.start(spec)
    until(lambda: box.lines(spec))
    box.folder(spec).cancel.touch()
    launcher.communicate(timeout=DEADLINE_S)
    end = box.statuses(spec)[-1]
    assert (end["outcome"], end["signal"]) == ("cancelled", signal.SIGKILL)


def test_a_step_that_is_cancelled_cleans_up(box: Node, level: str) -> None:
    body = (
        'print("begun")\ntry:\n    time.sleep(60)\nexcept hansard.Cancelled:\n'
        '    print("cleaned")\n    raise'
    )
    spec = box.spec("import time\n" + job(body), sandbox=level, grace_s=20)
    launcher = box.start(spec)
    until(lambda: box.lines(spec))
    box.folder(spec).cancel.touch()
    launcher.communicate(timeout=DEADLINE_S)
    end = box.statuses(spec)[-1]
    assert (end["outcome"], end["exit_code"]) == ("cancelled", 143)
    assert box.lines(spec)[2] == "cleaned"


DAEMONS = """
import fcntl, os, subprocess, sys
CODE = "import fcntl, time; fcntl.flock(0, fcntl.LOCK_SH); print(1, flush=True); time.sleep(60)"
class Job(hansard.Executor):
    def execute(self):
        for more in ({}, {"start_new_session": True}):
            with open("held", "a+") as held:
                line = [sys.executable, "-c", CODE]
                one = subprocess.Popen(line, stdin=held, stdout=subprocess.PIPE, **more)
                one.stdout.readline()
"""


def test_daemons_do_not_outlive_the_step(box: Node, level: str) -> None:
    spec = box.spec(DAEMONS, sandbox=level)
    assert box.run(spec)["outcome"] == "succeeded"
    with (box.folder(spec).step / "held").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as long as one of them lives, this fails


def test_a_dead_launcher_takes_the_step_with_it(box: Node, level: str) -> None:
    spec = box.spec(STUBBORN, sandbox=level)
    launcher = box.start(spec)
    until(lambda: box.lines(spec))
    pid = box.statuses(spec)[-1]["pid"]
    launcher.kill()
    launcher.communicate()
    until(lambda: dead(pid))
