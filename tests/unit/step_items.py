"""What the tests of media need: a step folder, and its items read back as a platform would."""

import json
from pathlib import Path
from typing import Any

from hansard.media.reading import read_item


def listed(folder: Path) -> list[dict[str, Any]]:
    """The lines of the list of items."""
    return [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]


def last(folder: Path) -> Any:
    """The value of the newest item."""
    item = listed(folder)[-1]
    return read_item(item["kind"], item["media"], (folder / item["file"]).read_bytes())
