"""Limits where the kernel has no control groups for us: the watchdog sees real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hansard.run_log import STEP_DIR_VARIABLE
from workers.sandbox.bounds import Bounds, LimitReached
from workers.sandbox.cgroup import Cgroup
from workers.sandbox.limits import MB, Limits
from workers.sandbox.usage import disk_of, memory_of, processes_of

ROOMY = Limits(memory=2**40, disk=2**40, processes=1000, cpu_s=1000)
DEADLINE_S = 30


@pytest.fixture(autouse=True)
def _no_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cgroup, "made", lambda *_: None)


@contextmanager
def running(step: Path, code: str) -> "Iterator[subprocess.Popen[str]]":
    """A process of a step that has said that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"import os, sys, time, subprocess\n{code}"],
        env={STEP_DIR_VARIABLE: str(step)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        for each in processes_of(process.pid, step):
            os.kill(each.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        process.stdin.close()


def breach(limits: Limits, step: Path, code: str) -> LimitReached | None:
    with Bounds(limits, step, held=True) as bounds, running(step, code) as process:
        bounds.set_on(process.pid)
        return bounds.breach()


CHILDREN = (
    "for _ in range(3):\n"
    "    if os.fork() == 0:\n"
    "        kept = os.urandom(50 * 2**20)\n"
    "        print('ready', flush=True)\n"
    "        time.sleep(60)\n"
    "for _ in range(3): pass\n"
    "time.sleep(60)"
)
READY = "print('ready', flush=True)\ntime.sleep(60)"


def test_within_its_limits_nothing_is_said(tmp_path: Path) -> None:
    assert breach(ROOMY, tmp_path, READY) is None


def test_memory_of_one_process(tmp_path: Path) -> None:
    limits = Limits(memory=40 * MB, disk=2**40, processes=1000, cpu_s=1000)
    found = breach(limits, tmp_path, f"kept = os.urandom(60 * 2**20)\n{READY}")
    assert str(found).startswith("out of memory: it used ")
    assert str(found).endswith(" of 40 MB")


def test_what_processes_share_is_counted_once(tmp_path: Path) -> None:
    code = (
        f"kept = os.urandom(60 * 2**20)\nfor _ in range(3):\n    if os.fork() == 0: break\n{READY}"
    )
    limits = Limits(memory=150 * MB, disk=2**40, processes=1000, cpu_s=1000)
    with running(tmp_path, code) as process:
        found = processes_of(process.pid, tmp_path)
        deadline = time.monotonic() + DEADLINE_S
        while len(found) < 4 and time.monotonic() < deadline:
            found = processes_of(process.pid, tmp_path)
        assert len(found) == 4
        assert sum(each.memory for each in found) > limits.memory > memory_of(found)


def test_processes_and_threads(tmp_path: Path) -> None:
    code = (
        "import threading\n"
        "for _ in range(20): threading.Thread(target=time.sleep, args=(60,)).start()\n"
    )
    limits = Limits(memory=2**40, disk=2**40, processes=16, cpu_s=1000)
    found = breach(limits, tmp_path, code + READY)
    assert str(found) == "out of processes: it started more than 16, threads included"


def test_a_process_that_left_its_session_and_parent_is_still_the_steps(tmp_path: Path) -> None:
    code = (
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        f"        {READY.replace(chr(10), chr(10) + '        ')}\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "time.sleep(60)"
    )
    with running(tmp_path, code) as process:
        deadline = time.monotonic() + DEADLINE_S
        while len(processes_of(process.pid, tmp_path)) > 2 and time.monotonic() < deadline:
            time.sleep(0.01)  # the one between them has ended, and is not yet waited for
        assert len(processes_of(process.pid, tmp_path)) == 2


def test_disk_counts_what_was_written_since_the_start(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(os.urandom(8 * MB))
    limits = Limits(memory=2**40, disk=4 * MB, processes=1000, cpu_s=1000)
    code = "print('ready', flush=True)\nsys.stdin.readline()\ntime.sleep(60)"
    with Bounds(limits, tmp_path, held=True) as bounds, running(tmp_path, code) as process:
        bounds.set_on(process.pid)
        assert bounds.breach() is None
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "more").write_bytes(os.urandom(6 * MB))
        (tmp_path / "link").symlink_to("/usr")
        assert disk_of(tmp_path) < 16 * MB
        found = None
        deadline = time.monotonic() + DEADLINE_S
        while found is None and time.monotonic() < deadline:
            found = bounds.breach()
    assert str(found) == "out of disk: it wrote 6 of 4 MB"


def test_processor_time(tmp_path: Path) -> None:
    limits = Limits(memory=2**40, disk=2**40, processes=1000, cpu_s=1)
    code = "print('ready', flush=True)\nsys.stdin.readline()\nwhile True: pass"
    with Bounds(limits, tmp_path, held=True) as bounds, running(tmp_path, code) as process:
        bounds.set_on(process.pid)
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(DEADLINE_S) == -signal.SIGXCPU
        told = str(bounds.cause_of_death(process.returncode))
    assert told == "out of processor time: one process used more than 1 s"


def test_a_step_that_is_not_held_may_do_anything(tmp_path: Path) -> None:
    limits = Limits(memory=1, disk=1, processes=1, cpu_s=1)
    with Bounds(limits, tmp_path, held=False) as bounds, running(tmp_path, READY) as process:
        bounds.set_on(process.pid)
        assert (bounds.facts(), bounds.breach()) == (None, None)


def test_limits_never_raise_one_that_is_there_already(tmp_path: Path) -> None:
    code = (
        "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))\n"
        "print('ready', flush=True)\nsys.stdin.readline()\n"
        "kinds = resource.RLIMIT_NOFILE, resource.RLIMIT_CORE\n"
        "print(*map(resource.getrlimit, kinds), flush=True)"
    )
    with running(tmp_path, code) as process:
        ROOMY.set_on(process.pid)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "(50, 50) (0, 0)\n"
