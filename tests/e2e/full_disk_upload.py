"""A platform on a small disk that an upload fills: run under `unshare -m`, prints what happened."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from hansard.artifacts.assembling import assemble, local_files
from hansard.artifacts.cache import Cache
from hansard.artifacts.layout import fetch_layout
from hansard.artifacts.link import Link
from hansard.artifacts.pulling import pull
from hansard.artifacts.uploading import Upload
from hansard.client_errors import Refused
from tests.e2e.platform import Up, platform
from tests.integration.store_box import weights

_DISK_MB = 640
_BALLAST_MB = 256
_MIN_FREE_MB = 128


def _filled(up: Up, place: Path, ballast: Path) -> dict[str, Any]:
    link = Link(up.url, up.token)
    model = link.json("POST", "/v1/models", {"name": uuid4().hex})["id"]
    small, large = weights(place / "small", 4), weights(place / "large", 320)
    before = Upload(link, assemble(local_files(small), None)).run(model)
    first = Upload(link, assemble(local_files(large), None))
    status, code = 0, ""
    try:
        first.run(model)
    except Refused as error:
        status, code = error.status, error.code
    files = link.json("GET", f"/v1/artifacts/{before.id}/files")["items"]
    ballast.unlink()
    again = Upload(link, assemble(local_files(large), None))
    kept = again.run(model)
    cache = Cache(place / "cache")
    layout = fetch_layout(link, kept.id, cache)
    pull(link, kept.id, layout, cache, place / "pulled").join()
    link.close()
    return {
        "refused": [status, code],
        "sent_before": first.sent,
        "sent_after": again.sent,
        "reads_go_on": [file["size"] for file in files] == [small.stat().st_size],
        "equal": (place / "pulled/large").read_bytes() == large.read_bytes(),
        "intact": up.command("audit", "verify")["intact"],
    }


def main() -> None:
    """Arguments: a folder for the small disk, and one for the client. Says what was seen."""
    disk, place = map(Path, sys.argv[1:])
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    options = ["-t", "tmpfs", "-o", f"size={_DISK_MB}m"]
    subprocess.run(["mount", *options, "tmpfs", disk], check=True)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(_BALLAST_MB << 20))
    with platform(disk / "data", "local", HANSARD_MIN_FREE_MB=str(_MIN_FREE_MB)) as up:
        print(json.dumps(_filled(up, place, ballast)))  # noqa: T201


if __name__ == "__main__":
    main()
