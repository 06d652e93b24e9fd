"""Pushes a file and pulls it again, then prints the most memory that took, in MB."""

import re
import sys
from pathlib import Path

import hansard


def main(path: Path, folder: Path) -> None:
    """Push, pull, print. `getrusage` would tell the peak of whoever started this process."""
    with hansard.Client() as client:
        version = client.models.push(path, "large")
        client.models.pull(version.id, folder)
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    print(int(found[1]) / 1000)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
