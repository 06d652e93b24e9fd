"""Kinds of run on a platform: the templates together, code that extends other code, commands."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hansard import Client, Fill
from tests.e2e.platform import Up, hansard_command, platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with platform(tmp_path_factory.mktemp("up") / "data", "local") as up:
        yield up


@pytest.fixture
def client(up: Up) -> Iterator[Client]:
    with up.client() as client:
        yield client


def test_the_templates_are_pushed_and_run_together_and_can_be_extended(
    up: Up, client: Client, tmp_path: Path
) -> None:
    for kind in ("executor", "model", "loader"):
        command = [hansard_command(), "new", kind, f"my-{kind}"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        pushed = client.push(tmp_path / f"my-{kind}")
        assert "# my-" in (pushed.card or "")
    slots: dict[str, Any] = {"model": Fill("my-model", keep=True), "loader": "my-loader"}
    run = client.wait(client.run("my-executor", slots), timeout_s=90)
    assert run.status == "succeeded", run.reason
    assert run.results is not None
    assert run.results["error"] < 1

    wider = tmp_path / "wider"
    wider.mkdir()
    (wider / "pyproject.toml").write_text(
        '[tool.hansard]\nbase = "model/my-model:1"\nname = "wider"\nentry = "wider:Wider"\n'
    )
    (wider / "wider.py").write_text(
        "import model\n\nclass Wider(model.MyModel):\n"
        "    def predict(self, inputs):\n        return [0.0 for _ in inputs]\n"
    )
    client.push(wider)
    run = client.wait(client.run("my-executor", {**slots, "model": "wider"}), timeout_s=90)
    assert run.status == "succeeded", run.reason
    assert run.results is not None
    assert run.results["error"] > 1


def test_a_command_runs_logs_and_leaves_its_outputs(up: Up, client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "train"
    folder.mkdir()
    (folder / "train.py").write_text(
        "import sys, hansard\nprint('learning', sys.argv[1])\nhansard.log_metric('loss', 0.5)\n"
        "open('outputs/weights.txt', 'w').write('1 2 3')\n"
    )
    run = client.run_code(folder, ["python", "train.py", "fast"])
    run = client.wait(run, timeout_s=90)
    assert run.status == "succeeded", run.reason
    assert run.results == {"outputs": 1}
    assert [line.text for line in client.runs.logs(run.id)] == ["learning fast"]
    assert client.runs.metrics(run.id)[0].value == 0.5
    [item] = list(client.runs.items(run.id))
    assert client.runs.item_content(item) == b"1 2 3"
    failed = client.wait(client.run_code(folder, ["false"]), timeout_s=90)
    assert (failed.status, failed.executor) == ("failed", run.executor)
    assert "`false` left status 1" in (failed.reason or "")
