"""A client in a process of its own: uploads a file, prints the artifact and its own peak memory."""

import json
import re
import sys
from pathlib import Path

from hansard.artifacts.assembling import assemble, local_files
from hansard.artifacts.link import Link
from hansard.artifacts.uploading import Upload


def main() -> None:
    """Arguments: address, token, model, file."""
    url, token, model, place = sys.argv[1:]
    link = Link(url, token)
    kept = Upload(link, assemble(local_files(Path(place)), None)).run(model)
    # The peak since this program began; that of getrusage begins with the parent's.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    told = {"id": kept.id, "sent": kept.sent, "peak_mb": int(peak[1]) >> 10}
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()
