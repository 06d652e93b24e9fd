"""Folders that processes left when they were killed are removed, those in use are not."""

import fcntl
import os
from pathlib import Path

from workers.examined_files import sweep


def test_folders_that_nobody_locks_are_removed(tmp_path: Path) -> None:
    left, used = tmp_path / ".examined-left", tmp_path / ".examined-used"
    for folder in (left, used, tmp_path / "run-1.1"):
        folder.mkdir()
        (folder / "data.csv").write_text("id")
    user = os.open(used, os.O_RDONLY)
    fcntl.flock(user, fcntl.LOCK_EX)
    sweep(tmp_path)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == [".examined-used", "run-1.1"]
    os.close(user)
    sweep(tmp_path)
    assert [folder.name for folder in tmp_path.iterdir()] == ["run-1.1"]


def test_where_nothing_was_ever_looked_into_nothing_is_removed(tmp_path: Path) -> None:
    sweep(tmp_path / "work")
    assert list(tmp_path.iterdir()) == []
