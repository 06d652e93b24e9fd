"""Counts the files of a dataset that are no tables, with the sizes of images from their headers."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_HEADER_BYTES = 32


def count_files(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Files and bytes by the ending of their names; for PNG and GIF also width and height.

    `width` and `height` are [smallest, largest] in pixels.
    """
    formats: dict[str, list[Path]] = {}
    for path in paths:
        formats.setdefault(path.suffix.lower().lstrip(".")[:20] or "none", []).append(path)
    return [_counted(format_, members) for format_, members in sorted(formats.items())]


def _counted(format_: str, paths: Sequence[Path]) -> dict[str, Any]:
    counted: dict[str, Any] = {
        "format": format_,
        "files": len(paths),
        "bytes": sum(path.stat().st_size for path in paths),
    }
    if format_ in ("png", "gif"):
        sizes = [size for path in paths if (size := image_size(path)) is not None]
        widths, heights = [w for w, _ in sizes], [h for _, h in sizes]
        counted |= {"width": _ends(widths), "height": _ends(heights)} if sizes else {}
    return counted


def image_size(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels that a PNG's or GIF's header states; None for anything else."""
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    if head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR" and len(head) >= 24:
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head[:6] in (b"GIF87a", b"GIF89a") and len(head) >= 10:
        return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    return None


def _ends(numbers: Iterable[int]) -> list[int]:
    found = list(numbers)
    return [min(found), max(found)]
