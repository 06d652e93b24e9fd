"""A disk that fills up under load: refused before the broker hits the wall, well afterwards."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.disk_space import DiskSpace
from infra.event_log.errors import StorageFull

pytestmark = pytest.mark.slow


def on_a_small_disk(place: Path, how: str) -> dict[str, Any]:
    """What happened on a disk of its own, in a mount namespace that ends with the process."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-m", "true"], check=False).returncode:
        pytest.skip("this machine lets nobody mount a disk of one's own")
    command = [unshare, "-m", sys.executable, "-m", "tests.integration.full_disk", str(place), how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_writes_are_refused_before_the_broker_hits_the_wall(tmp_path: Path) -> None:
    found = on_a_small_disk(tmp_path, "guarded")
    assert found["written"] > 20
    assert found["refusals"]
    assert all("writes need 64 MB" in refusal for refusal in found["refusals"])
    assert found["reads_go_on"]
    assert found["written_after"] == 1
    assert found["kept"]


def test_a_broker_that_hit_the_wall_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    found = on_a_small_disk(tmp_path, "unguarded")
    assert found["refusals"]
    assert found["reads_go_on"]
    assert found["written_after"] == 1
    assert found["kept"]


def test_the_guard_looks_at_every_write(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    DiskSpace(tmp_path, free // 2)()
    guard = DiskSpace(tmp_path, free * 2)
    with pytest.raises(StorageFull, match="MB are free"):
        guard()
    guard._min_free_bytes = free // 2
    guard()
