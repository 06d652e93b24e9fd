"""From a dry run to a group of runs whose models are kept: the constructor on a real platform."""

import json
import os
import statistics
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from hansard import Fill
from tests.e2e import telling
from tests.e2e.platform import Up, hansard_command, platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STREAMS = ("stdout", "stderr")
JOB = """
import os
import random

import hansard


class Job(hansard.Executor):
    model: hansard.Slot[hansard.All[hansard.Model, hansard.Predictor]]

    def execute(self, rounds: int = 2):
        for step in range(rounds):
            hansard.log_metric("loss", 1 / (step + 1), step=step)
        self.model.value = random.random()
        hansard.log_metric("score", self.model.value)
        mode = os.environ.get("DATA_MODE")
        return {"score": self.model.value, "mode": mode, **self.model.predict([])}
"""
NET = """
import hansard


class Net(hansard.Model):
    value = 0.0

    def predict(self, inputs, top: int = 1):
        return {"top": str(top)}

    def save(self, folder):
        (folder / "value.json").write_text(str(self.value))

    def load(self, folder):
        self.value = float((folder / "value.json").read_text())
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    tmp_path = tmp_path_factory.mktemp("launch")
    with platform(tmp_path / "data", "local") as up, up.client() as client:
        for name, source in (("job", JOB), ("net", NET)):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "source.py").write_text(source)
            (folder / "pyproject.toml").write_text(f'[tool.hansard]\nname = "{name}"\n')
            client.push(folder)
        yield up


def command(up: Up, *words: str, stdin: str = "") -> tuple[int, Any]:
    known = {**os.environ, "HANSARD_DATA_DIR": str(up.folder)}
    line = [hansard_command(), *words, "--json"]
    done = subprocess.run(line, env=known, input=stdin, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def check_dry_runs(up: Up, *asked: str) -> None:
    code, verdict = command(up, *asked, "-p", "rounds=many", "-p", "depth=1", "--dry-run")
    assert code == 1
    wrong = {error["field"] for error in verdict["errors"]}
    assert wrong == {"parameters.rounds", "parameters"}
    code, verdict = command(up, *asked, "--dry-run")
    assert (code, verdict["valid"], verdict["parameters"]) == (0, True, {"rounds": 2})
    [outlook] = verdict["queue"]
    assert (outlook["position"], outlook["reason"]) == (1, "there is room for it now")
    assert outlook["starts_at"] is not None
    assert up.get("/v1/runs")["items"] == []
    assert up.get("/v1/experiments")["items"] == []


def test_a_request_is_validated_run_with_several_seeds_kept_and_summed_up(up: Up) -> None:
    asked = ("run", "job", "--slot", "model=net", "--keep", "model=fitted")
    check_dry_runs(up, *asked)
    code, group = command(up, *asked, "--seeds", "1,2,3", "--watch")
    assert (code, group["statuses"]) == (0, {"succeeded": 3})
    with up.client() as client:
        scores = {run["id"]: client.runs.get(run["id"]).results or {} for run in group["runs"]}
        found = client.runs.group(group["id"], best="score")
        [result] = found.results
        values = [float(each["score"]) for each in scores.values()]
        assert len(set(values)) == 3
        assert result.n == 3
        assert result.mean == pytest.approx(statistics.fmean(values))
        assert result.std == pytest.approx(statistics.stdev(values))
        assert found.best is not None
        assert found.best.value == max(values)
        names = {model.name for model in client.models.list()}
        assert names == {"net", *(f"fitted seed {seed}" for seed in (1, 2, 3))}
        best = next(run for run in found.runs if run.id == found.best.run)
        again = client.run("job", {"model": Fill(f"fitted seed {best.seed}", keep=True)})
        kept = (client.wait(again, timeout_s=60).outputs or [])[0]
        assert (kept["number"], kept["refused"]) == (2, None)
        net = Fill("net", methods={"predict": {"top": 3}})
        small = client.run("job", {"model": net}, variables={"DATA_MODE": "small"})
        results = client.wait(small, timeout_s=60).results or {}
        assert results["mode"] == small.variables["DATA_MODE"] == "small"
        assert results["top"] == "3"
        lineage = {node.id for node in client.lineage(kept["version"], "up").nodes}
        assert {again.id, again.slots["model"]["version"]} <= lineage

    code, shown = command(up, "runs", "group", group["id"], "--best", "score", "--mode", "min")
    assert (code, shown["best"]["value"]) == (0, min(values))


def test_a_step_that_tells_its_secret_tells_nobody(up: Up) -> None:
    value = "hunter2-end-to-end"
    code, kept = command(up, "secrets", "set", "hub", stdin=f"{value}\n")
    assert (code, kept["number"]) == (0, 1)
    with up.client() as client:
        run = telling.ask(client, up.folder.parent, "hub")
        while not (now := client.runs.get(run.id)).ended:
            assert list(telling.processes_that_tell(value)) == []
        assert (now.status, now.results) == ("succeeded", {"length": len(value)}), now.reason
        lines = {n: [e.text for e in client.runs.logs(run.id, stream=n)] for n in STREAMS}
        mark = "[redacted:parameters/token]"
        assert lines["stdout"] == [
            f"as it is: {mark} in base64: {mark}",
            f"shown: {'*' * 10} variable: {mark}",
        ]
        assert lines["stderr"] == [mark]
        assert telling.files_that_hold(value, up.folder) == []
        assert telling.rows_that_hold(value, up) == []
        client.secrets.delete("hub")
        assert client.secrets.count() == 0
