"""Who may launch what: fences, single launches, locks, and files kept on the node."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from workers.attempt_folder import (
    HALF_MADE_IS_DEAD_S,
    AttemptFolder,
    LaunchRefused,
    attempt_folders,
    claimed,
    sweep,
)
from workers.file_cache import DamagedFile, FileCache
from workers.launch_spec import LaunchSpec, pass_spec, take_spec


@pytest.fixture
def spec(tmp_path: Path) -> LaunchSpec:
    return LaunchSpec(
        run="run-1", attempt=2, project="p", experiment="e", node="local", fence=7,
        api_url="http://127.0.0.1:1", token="secret-token", work=str(tmp_path / "work"),
        environments="envs", lock="0" * 64, executor={"bundle": "b", "entry": "m:C",
        "parameters": {"rate": 0.1}}, slots={}, datasets={}, seed=1, cpus=1, gpus=0, threads=1,
        wall_time_s=1.5, grace_s=1.0,
    )  # fmt: skip


def test_a_specification_is_passed_in_memory_and_shows_no_secret(spec: LaunchSpec) -> None:
    parameters = {"/parameters/token": "hunter3"}
    given = replace(spec, secrets={"KEY": "hunter2"}, secret_parameters=parameters)
    descriptor = pass_spec(given)
    assert take_spec(descriptor) == given
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(descriptor)
    assert given.hidden == {"KEY": "hunter2", "parameters/token": "hunter3"}
    assert not [word for word in ("secret-token", "hunter") if word in repr(given)]


def test_a_claimed_folder_is_held_until_the_end_of_the_block(spec: LaunchSpec) -> None:
    with claimed(spec) as folder:
        assert folder.name == "run-1.2"
        assert folder.source().attempt == 2
        with folder.held() as held:
            assert not held
    with folder.held() as held:
        assert held


def test_a_second_claim_is_refused_and_leaves_nothing(spec: LaunchSpec) -> None:
    with claimed(spec) as folder:
        pass
    with pytest.raises(LaunchRefused), claimed(spec):
        pass
    assert sorted(os.listdir(spec.work)) == ["fence", folder.name]


def test_a_lower_fence_is_refused_and_equal_or_higher_ones_are_not(spec: LaunchSpec) -> None:
    for attempt, fence in ((3, 7), (4, 100), (5, 100)):
        with claimed(replace(spec, attempt=attempt, fence=fence)):
            pass
    with pytest.raises(LaunchRefused), claimed(replace(spec, attempt=6, fence=99)):
        pass
    assert len(attempt_folders(Path(spec.work))) == 3


def test_half_made_folders_are_swept_once_they_are_old_and_free(spec: LaunchSpec) -> None:
    work = Path(spec.work)
    old, held, young = (work / f".new-{name}" for name in ("old", "held", "young"))
    for path in (old, held, young):
        path.mkdir(parents=True)
    with AttemptFolder(held).held():
        for path in (old, held):
            os.utime(path, (0, os.stat(young).st_mtime - HALF_MADE_IS_DEAD_S - 1))
        sweep(work)
        assert not old.exists()
        assert held.exists()
        assert young.exists()
    assert attempt_folders(work) == []


class Shelf:
    """A source of files in memory that counts what it is asked."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked = 0

    def fetch(self, digest: str, target: BinaryIO) -> None:
        self.asked += 1
        target.write(self.content)


def test_a_file_is_fetched_once_and_again_when_damaged(tmp_path: Path) -> None:
    digest, shelf = hashlib.sha256(b"content").hexdigest(), Shelf(b"content")
    cache = FileCache(tmp_path / "cache", lambda: shelf)
    assert cache.read(digest) == cache.read(digest) == b"content"
    assert shelf.asked == 1
    (tmp_path / "cache" / digest).write_bytes(b"rotten")
    assert cache.read(digest) == b"content"
    assert shelf.asked == 2


def test_a_file_that_arrives_damaged_is_not_kept(tmp_path: Path) -> None:
    cache = FileCache(tmp_path / "cache", lambda: Shelf(b"other"))
    digest = hashlib.sha256(b"content").hexdigest()
    with pytest.raises(DamagedFile):
        cache.read(digest)
    with pytest.raises(DamagedFile):
        cache.copy(digest, tmp_path / "copy")
    assert not (tmp_path / "cache" / digest).exists()


def test_the_longest_unused_files_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.file_cache.MAX_BYTES", 20)
    shelf = Shelf(b"")
    cache = FileCache(tmp_path, lambda: shelf)
    digests = []
    for age, content in enumerate((b"0123456789", b"abcdefghij", b"ABCDEFGHIJ")):
        shelf.content = content
        digests.append(hashlib.sha256(content).hexdigest())
        cache.read(digests[-1])
        os.utime(tmp_path / digests[-1], (age, age))
    assert sorted(os.listdir(tmp_path)) == sorted(digests[1:])
