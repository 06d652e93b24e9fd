"""`hansard run --local --isolated`: an environment with what is required, made once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.served_platform import code_in
from tests.e2e.platform import hansard_command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

JOB = """
import sys

class Job(hansard.Executor):
    def execute(self):
        import six
        try:
            import torch
        except ImportError:
            torch = None
        hansard.log_metric("loss", 1.0)
        return {"prefix": sys.prefix, "six": six.__version__, "torch": torch is not None}
"""


def run(home: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [hansard_command(), "run", "--local", "--isolated", "job", "--json"],
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_environment_holds_what_is_required_and_is_made_once(tmp_path: Path) -> None:
    folder = code_in(tmp_path / "job", "the job", JOB)
    (folder / "requirements.txt").write_text("six==1.17.0\n")
    first = run(tmp_path)
    assert first.returncode == 0, first.stderr
    results = json.loads(first.stdout)["results"]
    assert (results["six"], results["torch"]) == ("1.17.0", False)
    assert results["prefix"] != sys.prefix
    assert "making an environment" in first.stderr
    again = run(tmp_path)
    assert json.loads(again.stdout)["results"] == results
    assert "making an environment" not in again.stderr


def test_what_cannot_be_installed_is_said(tmp_path: Path) -> None:
    folder = code_in(tmp_path / "job", "the job", JOB)
    (folder / "requirements.txt").write_text("six==999.1\n")
    ended = run(tmp_path)
    assert ended.returncode == 1
    assert "six==999.1" in ended.stderr.splitlines()[-1]
