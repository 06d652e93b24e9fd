"""The launch service: an attempt for each one who asks, which ends with whoever asked."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.surroundings import WORK_VARIABLE
from tests.integration.node_box import DEADLINE_S, STUBBORN, Node, dead, job, node, until
from workers.launch_request import SOCKET, NotLaunched, ask_to_launch
from workers.recovery import finish_if_lost

SHOW_DEVICES = 'import os; print(os.environ["CUDA_VISIBLE_DEVICES"])'
_ASK = """
import sys
from workers.launch_request import ask_to_launch
from workers.launch_spec import LaunchSpec
ask_to_launch(LaunchSpec.from_json(sys.stdin.read()))
"""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path, tmp_path / "envs") as made:
        yield made


@pytest.fixture(autouse=True)
def service(box: Node) -> Iterator["subprocess.Popen[bytes]"]:
    variables = {**os.environ, "HANSARD_DATA_DIR": str(box.root)}
    command = [sys.executable, "-m", "workers.launch_service"]
    with subprocess.Popen(command, env=variables) as process:
        try:
            until((box.work / SOCKET).exists)
            yield process
        finally:
            process.kill()


def test_an_attempt_is_executed_by_the_node_with_its_own_folders(box: Node) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(WORK_VARIABLE, str(box.work))
        spec = box.spec(job('print("done")'), work="/elsewhere", environments="/elsewhere")
        ask_to_launch(spec)
    assert box.statuses(spec)[-1]["outcome"] == "succeeded"
    assert box.lines(spec) == {1: "done"}


def test_the_step_sees_the_devices_of_who_asked_and_none_without_asking(
    box: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    granted, without = box.spec(job(SHOW_DEVICES), gpus=2), box.spec(job(SHOW_DEVICES))
    ask_to_launch(granted)
    ask_to_launch(without)
    assert box.lines(granted) == {1: "2,3"}
    assert box.lines(without) == {1: ""}


def test_what_was_launched_before_is_refused(box: Node) -> None:
    spec = box.spec(job("pass"))
    ask_to_launch(spec)
    with pytest.raises(NotLaunched, match="was launched before"):
        ask_to_launch(spec)


def test_an_attempt_ends_with_whoever_asked_for_it(box: Node) -> None:
    spec = box.spec(STUBBORN)
    with subprocess.Popen([sys.executable, "-c", _ASK], stdin=subprocess.PIPE, text=True) as asker:
        assert asker.stdin is not None
        asker.stdin.write(spec.to_json())
        asker.stdin.close()
        until(lambda: box.lines(spec) == {1: "begun"})
        pid = box.statuses(spec)[-1]["pid"]
        asker.kill()
    until(lambda: dead(pid))
    until(lambda: finish_if_lost(box.folder(spec)))
    assert box.statuses(spec)[-1]["outcome"] == "lost"


def test_an_attempt_outlives_the_service(box: Node, service: "subprocess.Popen[bytes]") -> None:
    spec = box.spec(job('print("begun"); import time; time.sleep(1)'))
    with subprocess.Popen([sys.executable, "-c", _ASK], stdin=subprocess.PIPE, text=True) as asker:
        assert asker.stdin is not None
        asker.stdin.write(spec.to_json())
        asker.stdin.close()
        until(lambda: box.lines(spec) == {1: "begun"})
        service.kill()
        assert asker.wait(DEADLINE_S) == 0
    assert box.statuses(spec)[-1]["outcome"] == "succeeded"
