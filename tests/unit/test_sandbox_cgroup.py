"""Control groups of both versions, in a tree of files that looks like the kernel's."""

import os
from pathlib import Path

import pytest

from workers.sandbox.cgroup import PREFIX, Cgroup
from workers.sandbox.limits import Limits

LIMITS = Limits(memory=1000, disk=1, processes=7, cpu_s=1)


@pytest.fixture
def first(tmp_path: Path) -> Path:
    for name in ("memory", "pids"):
        (tmp_path / name / "own").mkdir(parents=True)
    (tmp_path / "self").write_text("3:memory:/own\n2:pids:/own\n1:cpu,cpuacct:/\n0::/\n")
    return tmp_path


@pytest.fixture
def second(tmp_path: Path) -> Path:
    (tmp_path / "user" / "own").mkdir(parents=True)
    (tmp_path / "user" / "own" / "cgroup.subtree_control").write_text("cpu memory pids\n")
    (tmp_path / "self").write_text("0::/user/own\n")
    return tmp_path


def test_version_1_has_a_folder_for_each_controller(first: Path) -> None:
    made = Cgroup.made("a", LIMITS, first, first / "self")
    assert made is not None
    assert made.version == 1
    memory, pids = (
        first / name / "own" / f"{PREFIX}{os.getpid()}-a" for name in ("memory", "pids")
    )
    assert (memory / "memory.limit_in_bytes").read_text() == "1000"
    assert (pids / "pids.max").read_text() == "7"
    made.add(5)
    assert {(folder / "cgroup.procs").read_text() for folder in (memory, pids)} == {"5"}
    (memory / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    (memory / "memory.max_usage_in_bytes").write_text("999\n")
    (pids / "pids.events").write_text("max 3\n")
    assert (made.killed, made.peak, made.refused) == (2, 999, 3)


def test_version_2_has_one_folder(second: Path) -> None:
    made = Cgroup.made("a", LIMITS, second, second / "self")
    assert made is not None
    assert made.version == 2
    folder = second / "user" / "own" / f"{PREFIX}{os.getpid()}-a"
    assert (folder / "memory.max").read_text() == "1000"
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "pids.max").read_text() == "7"
    assert (made.killed, made.peak, made.refused) == (0, 0, 0)
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert made.killed == 1


def test_controllers_that_are_not_on_are_turned_on(second: Path) -> None:
    control = second / "user" / "own" / "cgroup.subtree_control"
    control.write_text("cpu\n")
    assert Cgroup.made("a", LIMITS, second, second / "self") is not None
    assert control.read_text() == "+memory +pids"


def test_where_nothing_is_there_or_permitted_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "self").write_text("0::/\n")
    assert Cgroup.made("a", LIMITS, tmp_path, tmp_path / "self") is None
    assert Cgroup.made("a", LIMITS, tmp_path, tmp_path / "missing") is None


def test_groups_of_dead_launchers_are_removed_and_others_are_not(second: Path) -> None:
    parent = second / "user" / "own"
    dead, alive = parent / f"{PREFIX}{2**22 + 1}-x", parent / f"{PREFIX}{os.getppid()}-y"
    dead.mkdir()
    alive.mkdir()
    Cgroup.made("a", LIMITS, second, second / "self")
    assert (dead.exists(), alive.exists()) == (False, True)
