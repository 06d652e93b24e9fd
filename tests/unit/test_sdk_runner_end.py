"""Steps that are cancelled, and steps whose launcher dies."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.step_box import Box


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("swallow", ["raise", "return {}", "raise ValueError"])
def test_sigterm_lets_user_code_clean_up_and_ends_as_cancelled(box: Box, swallow: str) -> None:
    box.only(
        f"""
        import pathlib, time

        class Job(hansard.Executor):
            def execute(self):
                try:
                    pathlib.Path("started").touch()
                    time.sleep(60)
                except Exception:
                    return {{"never": "an Exception"}}
                except hansard.Cancelled:
                    pathlib.Path("cleaned").touch()
                    {swallow}
        """
    )
    process = box.start()
    wait_for(box.root / "started")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert (box.root / "cleaned").exists()
    assert not (box.root / "result.json").exists()
    assert not (box.root / "failure.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_the_step_dies_with_its_launcher(box: Box) -> None:
    box.only(
        """
        import os, pathlib, time

        class Job(hansard.Executor):
            def execute(self):
                pathlib.Path("part").write_text(str(os.getpid()))
                pathlib.Path("part").rename("pid")
                time.sleep(60)
        """
    )
    (box.root / "step.json").write_text(json.dumps(box.step))
    launcher = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys; subprocess.run([sys.executable, '-m', 'hansard.runner'])",
        ],
        cwd=box.root,
        env={**os.environ, "HANSARD_STEP_DIR": str(box.root)},
    )
    wait_for(box.root / "pid")
    pid = int((box.root / "pid").read_text())
    launcher.kill()
    launcher.wait()
    deadline = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; an orphan that nobody reaps stays as a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
