"""A storage on a small disk that fills up: run under `unshare -m`, prints what happened."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from infra.artifacts.local_storage import LocalStorage
from infra.event_log.errors import StorageFull
from infra.file_store import FileStore, open_files

_DISK_MB = 8
_PIECE = os.urandom(1 << 20)


def _fill(write: Callable[[int], object]) -> int:
    """Write one content after the other until one is refused; answers how many were taken."""
    for number in range(2 * _DISK_MB):
        try:
            write(number)
        except StorageFull:
            return number
    raise AssertionError("the disk was never full")


def _upload_too_much(files: FileStore) -> bool:
    """Whether a file larger than the disk is refused for that reason."""
    try:
        files.put(_PIECE for _ in range(2 * _DISK_MB))
    except StorageFull:
        return True
    return False


def main() -> None:
    """Mount the small disk, fill it, and say what was seen."""
    place = Path(sys.argv[1])
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    options = ["-t", "tmpfs", "-o", f"size={_DISK_MB}m"]
    subprocess.run(["mount", *options, "tmpfs", place], check=True)
    storage, files = LocalStorage(place), open_files("", place)
    refused = _upload_too_much(files)
    left_by_upload = sum(path.is_file() for path in place.rglob("*"))
    taken = _fill(lambda number: storage.put(f"packs/ab/{number}", [_PIECE, b"more"]))
    kept = [key for key, size, _ in list(storage.keys()) if size == len(_PIECE) + 4]
    storage.delete("packs/ab/0")
    storage.put("packs/ab/again", [_PIECE])
    told = {
        "upload_refused": refused,
        "left_by_upload": left_by_upload,
        "taken": taken,
        "kept": len(kept),
        "incoming": len(list((place / "incoming").iterdir())),
        "written_after": storage.size("packs/ab/again"),
    }
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()
