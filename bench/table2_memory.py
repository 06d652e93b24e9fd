"""What a client needs of memory to push and pull four gigabytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.figure import Figure
from bench.machine import scratch_folder
from bench.platform import running_platform

_GB = 1_000_000_000
_SIZE = 4 * _GB
_PIECE = 64 << 20


def memory_figure() -> Figure:
    """Most resident memory of a process that pushes and pulls a tensor of 4 GB."""
    with scratch_folder() as scratch, running_platform(scratch / "data", "local") as platform:
        _write_tensor(scratch / "large.safetensors")
        known = json.loads((scratch / "data" / "client.json").read_text())
        variables = {
            **os.environ,
            "HANSARD_URL": known["url"],
            "HANSARD_TOKEN": known["token"],
            "HANSARD_CACHE_DIR": str(scratch / "cache"),
        }
        command = [sys.executable, "-m", "bench.transfer_probe"]
        places = [str(scratch / "large.safetensors"), str(scratch / "out")]
        done = subprocess.run(
            [*command, *places], env=variables, check=True, capture_output=True, text=True
        )
        assert platform.process.poll() is None
    most_mb = float(done.stdout)
    return Figure(
        "table2.client_mb_for_4gb", most_mb, "MB", 1, None, None, "resident, push and pull"
    )


def _write_tensor(path: Path) -> None:
    """One tensor of random bytes."""
    told = {"weight": {"dtype": "U8", "shape": [_SIZE], "data_offsets": [0, _SIZE]}}
    header = json.dumps(told).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        left = _SIZE
        while left:
            piece = os.urandom(min(left, _PIECE))
            file.write(piece)
            left -= len(piece)
