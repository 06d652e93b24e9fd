"""Pushes a file and pulls it again, then prints the most memory that took, in MB."""

import resource
import sys
from pathlib import Path

import hansard


def main(path: Path, folder: Path) -> None:
    """Push, pull, print."""
    with hansard.Client() as client:
        version = client.models.push(path, "large")
        client.models.pull(version.id, folder)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
