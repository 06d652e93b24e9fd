"""The data folder: modes, the single-instance lock, credentials."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.embedded.data_folder import AlreadyRunning, DataFolder

_HOLD_AND_DIE = """
import os, sys
from pathlib import Path
from infra.embedded.data_folder import DataFolder
DataFolder(Path(sys.argv[1])).__enter__()
print(os.getpid(), flush=True)
os.kill(os.getpid(), 9)
"""


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_its_owner_can_look_into_a_data_folder(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.credential("x")
    assert _mode(folder.path) & 0o066 == 0
    assert {_mode(path) for path in folder.path.iterdir()} == {0o700}
    assert _mode(folder.path / "credentials" / "x") == 0o600


def test_an_existing_folder_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.mkdir(mode=0o750)
    path.chmod(0o750)
    DataFolder(path)
    assert _mode(path) == 0o750


def test_a_second_instance_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    with DataFolder(tmp_path):
        with pytest.raises(AlreadyRunning) as refusal:
            DataFolder(tmp_path).__enter__()
        assert refusal.value.pid == os.getpid()
        assert refusal.value.path == tmp_path.resolve()


def test_the_lock_is_free_again_after_leaving(tmp_path: Path) -> None:
    with DataFolder(tmp_path):
        pass
    with DataFolder(tmp_path):
        assert int((tmp_path / "lock").read_text()) == os.getpid()


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLD_AND_DIE, str(tmp_path)]
    dead = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (tmp_path / "lock").read_text() == dead.stdout.strip()
    with DataFolder(tmp_path):
        assert int((tmp_path / "lock").read_text()) == os.getpid()


def test_a_credential_is_made_once_and_differs_from_others(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    first = folder.credential("a")
    assert len(first) >= 43
    assert DataFolder(tmp_path).credential("a") == first
    assert folder.credential("b") != first


def test_threads_that_race_for_a_credential_get_the_same_one(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(folder.credential, ["a"] * 64))) == 1
    assert [path.name for path in (tmp_path / "credentials").iterdir()] == ["a"]


def test_a_remnant_of_a_server_is_awaited_and_then_killed(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as folder:
        with folder.server_lock("nats") as lock:
            quick = subprocess.Popen(["sleep", "0.1"], pass_fds=(lock,))
        with folder.server_lock("nats") as lock:
            assert quick.wait() == 0
            stuck = subprocess.Popen(["sleep", "60"], pass_fds=(lock,))
            other = subprocess.Popen(["sleep", "60"])
        with folder.server_lock("nats", 0.1):
            assert stuck.wait() == -9
        assert other.poll() is None
        other.kill()
        other.wait()


def test_a_server_lock_is_for_the_owner_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="somebody else"), DataFolder(tmp_path).server_lock(""):
        pass
