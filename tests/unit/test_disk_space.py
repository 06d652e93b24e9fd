"""When writes are refused for lack of space, and when the broker has to restart afterwards."""

from pathlib import Path

import pytest

from infra import disk_space
from infra.disk_space import DiskSpace, FullDiskPassed
from infra.event_log.errors import StorageFull

MIN_FREE = 800


def test_writes_are_refused_below_the_bound_and_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(disk_space, "_free_bytes", lambda folder: MIN_FREE - 1)
    with pytest.raises(StorageFull, match="free"):
        DiskSpace(tmp_path, MIN_FREE)()


def test_the_broker_restarts_once_after_a_full_disk_has_room_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    passed = FullDiskPassed(tmp_path, MIN_FREE)
    seen = []
    for free_bytes in (5000, MIN_FREE // 2, 5000, 10, 50, MIN_FREE // 2, 5000, 5000):
        monkeypatch.setattr(disk_space, "_free_bytes", lambda folder, free=free_bytes: free)
        seen.append(passed())
    assert seen == [False, False, False, False, False, False, True, False]
