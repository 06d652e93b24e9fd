"""`hansard run --local`: no server, the real runner, everything in a folder."""

import asyncio
import csv
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.contract.command_line import COMMAND, Shell
from tests.contract.served_platform import Address, code_in

JOB = """
import os, sys, time

class Job(hansard.Executor):
    model: hansard.Slot[hansard.Model]

    def execute(self, epochs: int = 3, how: str = "well", seconds: float = 0.0):
        print("it begins")
        print("beware", file=sys.stderr)
        for step in range(epochs):
            hansard.log_metric("loss", 1 / (step + 1))
        time.sleep(seconds)
        if how == "badly":
            raise ValueError("no good")
        if how == "worst":
            os.kill(os.getpid(), 9)
        return {"width": self.model.width, "token": "HANSARD_TOKEN" in os.environ}
"""
NET = """
class Net(hansard.Model):
    def __init__(self, width: int = 8) -> None:
        self.width = width

    def save(self, folder):
        (folder / "net.txt").write_text(str(self.width))
"""


@pytest.fixture
def offline(tmp_path: Path) -> Shell:
    """A shell in a folder with an executor and a model, that no server answers."""
    code_in(tmp_path / "job", "the job", JOB)
    code_in(tmp_path / "net", "the net", NET)
    return Shell(tmp_path, Address("", "", ""))


RUN = ("run", "--local", "job", "--slot", "model=net")


async def test_a_run_of_folders_shows_and_keeps_what_it_did(offline: Shell) -> None:
    ended = await offline.ok(
        *(*RUN, "-p", "epochs=2", "-p", "model.width=4", "--keep", "model", "--seed", "7"),
        HANSARD_TOKEN="secret",
    )
    assert ended.out.splitlines() == ["it begins", "succeeded  width=4 token=False"]
    assert "beware" in ended.err
    assert "loss = 0.5 at step 1" in ended.err
    folder = offline.home / "hansard-runs" / "the-job"
    assert json.loads((folder / "result.json").read_bytes()) == {"width": 4, "token": False}
    assert (folder / "outputs" / "model" / "net.txt").read_text() == "4"
    assert (folder / "stdout.log").read_text() == "it begins\n"
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    assert [(row["key"], row["step"], row["value"]) for row in rows] == [
        ("loss", "0", "1.0"),
        ("loss", "1", "0.5"),
    ]
    assert json.loads((folder / "step.json").read_bytes())["seed"] == 7


async def test_each_run_has_a_folder_of_its_own_and_can_answer_in_json(offline: Shell) -> None:
    first, second = [await offline.ok(*RUN, "--name", "try", "--json") for _ in range(2)]
    told = [json.loads(each.out.splitlines()[-1]) for each in (first, second)]
    assert [each["folder"] for each in told] == ["hansard-runs/try", "hansard-runs/try-2"]
    assert told[0]["results"]["width"] == 8


@pytest.mark.parametrize(("how", "code"), [("badly", 1), ("worst", 137)])
async def test_the_exit_code_is_that_of_the_step(offline: Shell, how: str, code: int) -> None:
    ended = await offline(*RUN, "-p", f"how={how}")
    assert ended.code == code
    if how == "badly":
        assert "ValueError: no good" in ended.err
    assert "hansard-runs/the-job" in ended.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--local", "job"), "nothing fills slot `model`"),
        ((*RUN, "-p", "epochs=many"), "parameter `epochs` of `source:Job` is int"),
        ((*RUN, "-p", "nothing=1"), "has no parameter `nothing`"),
        ((*RUN, "--slot", "other=net"), "has no slot `other`"),
        (("run", "--local", "./nowhere"), "there is no folder `./nowhere`"),
        (("run", "--local", "net"), "does not derive from hansard.Executor"),
        (("run", "--local", "never pushed"), "hansard login"),
    ],
)
async def test_what_does_not_fit_is_said(
    offline: Shell, arguments: tuple[str, ...], said: str
) -> None:
    ended = await offline(*arguments, HANSARD_DATA_DIR=str(offline.home / "none"))
    assert ended.code == 1
    assert said in ended.err


async def test_an_interrupt_stops_the_step_and_leaves_nothing_running(offline: Shell) -> None:
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, *RUN, "-p", "seconds=60"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=offline.home,
        env={"PATH": os.environ["PATH"], "HOME": str(offline.home)},
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 60) == b"it begins\n"
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 130, err
    assert (
        "hansard.errors.Cancelled"
        in (offline.home / "hansard-runs" / "the-job" / "stderr.log").read_text()
    )


async def test_the_templates_run_together(offline: Shell) -> None:
    for kind in ("executor", "model", "loader"):
        await offline.ok("new", kind, f"my-{kind}")
        own_tests = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=offline.home / f"my-{kind}",
        )
        assert await own_tests.wait() == 0
        assert f"my-{kind}" in (offline.home / f"my-{kind}" / "README.md").read_text()
    ended = await offline.ok(
        *("run", "--local", "my-executor", "-s", "model=my-model", "-s", "loader=my-loader"),
        "--json",
    )
    assert json.loads(ended.out)["results"]["error"] < 1
