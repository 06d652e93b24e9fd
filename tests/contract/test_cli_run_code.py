"""`hansard run-code`: a folder that is no executor, and a command in it."""

import json
from pathlib import Path

import pytest

from tests.contract.command_line import Shell
from tests.contract.served_platform import Address, a_name

SCRIPT = """
import os, sys
import hansard
from part import RATE

print("learning", *sys.argv[1:])
for step in range(3):
    hansard.log_metric("loss", RATE / (step + 1))
os.makedirs("outputs/deep", exist_ok=True)
open("outputs/deep/weights.txt", "w").write("1 2 3")
open(os.environ["HANSARD_OUTPUTS"] + "/note.txt", "w").write(os.getcwd())
os.symlink("/etc/passwd", "outputs/link")
sys.exit(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "train"
    root.mkdir()
    (root / "train.py").write_text(SCRIPT)
    (root / "part.py").write_text("RATE = 0.5\n")
    return root


@pytest.fixture
def offline(folder: Path) -> Shell:
    return Shell(folder.parent, Address("", "", ""))


def items(step: Path) -> dict[str, str]:
    """What each logged file holds, by its name."""
    listed = [json.loads(line) for line in (step / "items.jsonl").read_text().splitlines()]
    return {each["name"]: (step / each["file"]).read_text() for each in listed}


async def test_a_command_logs_prints_and_leaves_its_outputs(offline: Shell) -> None:
    ended = await offline.ok("run-code", "train", "--local", "--", "python", "train.py")
    assert ended.out.splitlines() == ["learning", "succeeded  outputs=2"]
    assert "loss = " in ended.err
    step = offline.home / "hansard-runs" / "train"
    kept = items(step)
    assert kept.keys() == {"deep/weights.txt", "note.txt"}
    assert kept["deep/weights.txt"] == "1 2 3"
    assert kept["note.txt"] == str(step / "work")
    assert not (offline.home / "train" / "outputs").exists()


async def test_a_status_fails_the_run_and_what_was_left_is_kept(offline: Shell) -> None:
    ended = await offline("run-code", "train", "--local", "--", "python", "train.py", "3")
    assert ended.code == 1
    assert "`python train.py 3` left status 3" in ended.err
    assert "deep/weights.txt" in items(offline.home / "hansard-runs" / "train")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["no-such-program"], "`no-such-program` cannot be started: No such file or directory"),
        (["sh", "-c", "kill -9 $$"], "was killed by SIGKILL"),
        (["echo", "x" * 33_000], "a command has at most"),
        (["echo", *["x"] * 256], "a command has at most"),
    ],
)
async def test_commands_that_cannot_run_are_said(
    offline: Shell, command: list[str], said: str
) -> None:
    ended = await offline("run-code", "train", "--local", "--", *command)
    assert ended.code == 1
    assert said in ended.err


async def test_a_code_run_is_asked_for_as_a_run_of_an_executor_of_the_folders_name(
    shell: Shell, folder: Path
) -> None:
    name = a_name()
    asked = ("run-code", str(folder), "--code", name, "--json", "--", "python", "train.py", "0")
    run, again = [(await shell.ok(*asked)).document for _ in range(2)]
    assert run["parameters"] == {"command": ["python", "train.py", "0"]}
    assert run["executor"] == again["executor"]
    shown = (await shell.ok("executors", "show", name)).out
    assert "hansard_code:Code" in shown
