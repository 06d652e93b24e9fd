"""A disk that fills up under packs and files: refused in words, nothing left behind, no damage."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def test_a_full_disk_refuses_and_keeps_what_it_has_and_nothing_of_the_rest(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-m", "true"], check=False).returncode:
        pytest.skip("this machine lets nobody mount a disk of one's own")
    command = [unshare, "-m", sys.executable, "-m", "tests.integration.full_storage", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["upload_refused"]
    assert found["left_by_upload"] == 0
    assert 0 < found["taken"] < 8
    assert found["kept"] == found["taken"]
    assert found["incoming"] == 0
    assert found["written_after"] == 1 << 20
