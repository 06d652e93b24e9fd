"""Runs and the artifact store, all of it real: weights and data in, models and items out."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hansard import Client
from tests.contract.command_line import COMMAND
from tests.integration.conftest import Servers
from tests.integration.people import a_person, code_of, done
from tests.integration.run_box import Runner, runner
from workers.launch_spec import pass_spec

MODEL = """
class Net(hansard.Model):
    value = 0.0
    def load(self, folder):
        self.value = float((folder / "w.json").read_text())
    def save(self, folder):
        (folder / "w.json").write_text(str(self.value))
"""
JOB = """
class Job(hansard.Executor):
    model: hansard.Slot[hansard.Model]
    def execute(self):
        [path] = hansard.dataset_paths("train")
        self.model.value += float(path.read_text())
        hansard.log_histogram("val/weights", [0.0, self.model.value], step=4)
        hansard.log_table("rows", {"a": [self.model.value]})
        return {"value": self.model.value}
"""


@pytest.fixture
async def box(servers: Servers, tmp_path: Path) -> AsyncIterator[Runner]:
    async with runner(servers, tmp_path) as made:
        yield made


async def asked(box: Runner, job: str = JOB, model: str = MODEL) -> dict[str, Any]:
    """What a run is made of: code, weights of 40 and a bit, and a dataset that adds 1 and a bit.

    No other test has this content: tests share the index of the store, but not its files.
    """
    salt = uuid4().int % 10**9
    net = await box.version("models", model, "Net", {"w.json": f"40.0{salt:09}".encode()})
    data = await box.version("datasets", files={"one.csv": f"1.{salt:09}".encode()})
    executor = await box.version("executors", job, "Job")
    slots = {"model": {"version": net["id"], "keep": True}}
    return {"executor": executor["id"], "slots": slots, "datasets": {"train": data["id"]}}


async def test_a_run_reads_weights_and_data_and_leaves_a_version_and_items(box: Runner) -> None:
    parts = await asked(box)
    spec = await box.admitted(**parts)
    end = await box.executed(spec)
    assert end["outcome"] == "succeeded", end
    row = await box.row(spec.run)
    value = row["results"]["value"]
    assert 41 <= value < 43
    assert row["logged"]["items_lost"] == 0
    [read] = row["logged"]["read"]
    assert (read["dataset"], read["version"]) == ("train", parts["datasets"]["train"])
    [output] = row["outputs"]
    version = done(await box.admin.call("GET", f"/versions/{output['version']}"))
    assert version["content"]["artifact"] == output["artifact"]
    assert version["parents"] == [parts["slots"]["model"]["version"]]
    assert version["data"] == [parts["datasets"]["train"]]
    await asyncio.to_thread(_read_back, box, spec.run, output["artifact"], value)


def _command(box: Runner, *words: str) -> Any:
    url, token = box.platform.settings.api_url, box.platform.token
    known = {**os.environ, "HANSARD_URL": url, "HANSARD_TOKEN": token}
    line = [*COMMAND, "runs", *words, "--json"]
    return json.loads(subprocess.run(line, env=known, check=True, capture_output=True).stdout)


def _read_back(box: Runner, run: str, artifact: str, value: float) -> None:
    with Client(box.platform.settings.api_url, box.platform.token) as client:
        deadline = time.monotonic() + 20
        while len(found := list(client.runs.items(run))) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        weights, rows = found
        assert (weights.name, weights.kind, weights.step) == ("val/weights", "histogram", 4)
        assert sum(client.runs.item_value(weights).counts) == 2
        assert client.runs.item_value(rows) is not None
        assert [i.name for i in client.runs.items(run, kind="table")] == ["rows"]
        assert list(client.runs.items(run, name="none")) == []
        path = client.runs.save_item(weights, Path(box.platform.settings.work) / "out")
        assert path.name.startswith("val_weights.1.")
        assert path.read_bytes() == client.runs.item_content(weights)
        assert _command(box, "items", run, "--kind", "table")[0]["name"] == "rows"
        [fetched] = _command(box, "fetch", run, "rows", str(path.parent / "new"))
        assert Path(fetched).stat().st_size == rows.size
        with pytest.raises(FileExistsError):
            client.runs.save_item(weights, path.parent)
    assert artifact != weights.artifact


async def test_what_a_run_left_can_be_the_weights_of_the_next(box: Runner) -> None:
    parts = await asked(box)
    spec = await box.admitted(**parts)
    first = (await box.executed(spec))["results"]["value"]
    [output] = (await box.row(spec.run))["outputs"]
    slots = {"model": {"version": output["version"]}}
    again = await box.admitted(**(parts | {"slots": slots}))
    end = await box.executed(again)
    assert end["results"]["value"] > first + 1
    assert end["outputs"] == []


PICKLED = MODEL.replace(
    '(folder / "w.json").write_text(str(self.value))',
    '__import__("pickle").dump({"a": print}, (folder / "w.json").open("wb"))',
)


async def test_a_pickle_that_is_called_json_fails_the_run_with_the_reason(box: Runner) -> None:
    spec = await box.admitted(**await asked(box, model=PICKLED))
    end = await box.executed(spec)
    assert (end["outcome"], end["outputs"]) == ("failed", [])
    assert "`w.json` is not accepted" in end["reason"]
    row = await box.row(spec.run)
    assert (row["status"], "pickle" in row["reason"]) == ("failed", True)


async def test_outputs_that_a_run_did_not_leave_lose_the_attempt(box: Runner) -> None:
    parts = await asked(box)
    foreign = done(await box.admin.call("GET", f"/versions/{parts['datasets']['train']}"))
    for artifact in (foreign["content"]["artifact"], "artifact-nothing", None, 7):
        spec = await box.admitted(**parts)
        status = {
            "state": "ended",
            "outcome": "succeeded",
            "results": {},
            "metric_points": 0,
            "outputs": [{"slot": "model", "artifact": artifact, "content": {}}],
        }
        await box.told(spec, status)
        row = await box.row(spec.run)
        assert (row["status"], row["outputs"]) == ("queued", None)
    model = f"/models/{await box.holder(parts['slots']['model']['version'])}"
    assert done(await box.admin.call("GET", model))["versions"] == 1


async def test_a_launcher_killed_after_the_upload_leaves_nothing_half_published(
    box: Runner,
) -> None:
    parts = await asked(box)
    spec = await box.admitted(**parts)
    program = (
        "import os, signal, sys\n"
        "from workers import launcher, outputs\n"
        "from workers.launch_spec import take_spec\n"
        "kept = launcher.upload\n"
        "def upload(*given):\n"
        "    kept(*given)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "launcher.upload = upload\n"
        "launcher.launch(take_spec(int(sys.argv[1])))\n"
    )
    descriptor = pass_spec(spec)
    words = [sys.executable, "-c", program, str(descriptor)]
    with closing(os.fdopen(descriptor)):
        killed = await asyncio.to_thread(subprocess.run, words, check=False, pass_fds=[descriptor])
    assert killed.returncode == -signal.SIGKILL
    end = await box.finished(spec)
    assert end["outcome"] == "lost"
    row = await box.row(spec.run)
    assert (row["status"], row["outputs"]) == ("queued", None)
    model = f"/models/{await box.holder(parts['slots']['model']['version'])}"
    assert done(await box.admin.call("GET", model))["versions"] == 1


async def test_the_items_of_a_run_are_for_who_sees_them(box: Runner) -> None:
    stranger = await a_person(box.platform)
    spec = await box.admitted(**await asked(box))
    answer = await stranger.call("GET", f"/runs/{spec.run}/items")
    assert code_of(answer, 404) == "not-found"
