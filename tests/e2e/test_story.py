"""Whole stories as a newcomer lives them: the demo, and every command of the README."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.e2e.platform import hansard_command, platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]


def test_the_demo_ends_with_a_trained_model_and_an_intact_record(tmp_path: Path) -> None:
    done = subprocess.run(
        [hansard_command(), "demo"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["status"] == "succeeded"
    assert told["backend"] == "ray"
    assert told["accuracy"] >= 0.95
    assert told["metric_points"] > 100
    assert told["rebuild_equal"] is True
    assert told["events"] > 20
    assert told["run"].startswith("run-")
    assert told["model_version"].startswith("version-")
    assert told["seconds"] > 0


def test_every_command_of_the_readme_works(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    commands = [line for line in lines if line.startswith("hansard ")]
    targets = [line.removeprefix("make ") for line in lines if line.startswith("make ")]
    assert len(commands) + len(targets) == len([line for line in lines if line])
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"\n{target}:" in makefile for target in targets)
    here = tmp_path / "here"
    here.mkdir()
    (here / "examples").symlink_to(ROOT / "examples")
    with platform(tmp_path / "data", "local") as up:
        environment = {**os.environ, "HANSARD_DATA_DIR": str(up.folder), "HOME": str(tmp_path)}
        for command in commands:
            words = [hansard_command(), *shlex.split(command)[1:]]
            done = subprocess.run(
                words, cwd=here, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert (here / "weights" / "weights.safetensors").stat().st_size > 10_000


def test_a_second_platform_on_the_same_folder_says_so_and_fails(tmp_path: Path) -> None:
    with platform(tmp_path / "data", "local") as up:
        second = subprocess.run(
            [hansard_command(), "up", "--data-dir", str(up.folder)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert second.returncode == 1
    assert "already runs" in second.stderr
    assert str(up.process.pid) in second.stderr
