"""Paths of files within an artifact: safe on every disk, and different on every disk."""

import re
import unicodedata
from collections.abc import Iterable

from hansard.formats.objects import MAX_PATH_BYTES
from hansard.formats.problems import BundleError

MAX_PART_BYTES = 255
MAX_DEPTH = 64

_PLAIN = re.compile(
    r"(?!\.{1,2}(/|$))[\w.+=@~#%()\[\]{}!,; -]+(/(?!\.{1,2}(/|$))[\w.+=@~#%()\[\]{}!,; -]+)*",
    re.ASCII,
)
_FORBIDDEN = ("Cc", "Cs", "Zl", "Zp")


def check_paths(paths: Iterable[str]) -> None:
    """Raises BundleError for a path that is unsafe, or two that some disk holds as one.

    Paths are relative, of 1,024 bytes at most and 255 in each part, normalised (NFC), without
    control characters, backslashes, `.` and `..`.
    """
    files: dict[str, str] = {}
    for path in paths:
        _check(path)
        folded = path.casefold()
        if folded in files:
            detail = f"the path differs from `{files[folded]}` in upper and lower case at most"
            raise BundleError("duplicate_name", detail, path)
        files[folded] = path
    folders = {folded.rpartition("/")[0] for folded in files}
    checked = {""}
    for folder in folders:
        while folder not in checked:
            if (found := files.get(folder)) is not None:
                raise BundleError("duplicate_name", "a file and a folder have one path", found)
            checked.add(folder)
            folder = folder.rpartition("/")[0]


def _check(path: str) -> None:
    if not (path.isascii() and _PLAIN.fullmatch(path)):
        _check_closely(path)
    if len(path) > MAX_PART_BYTES:
        _check_length(path)
    if path.count("/") >= MAX_DEPTH:
        raise BundleError("name_too_long", f"a path has at most {MAX_DEPTH} parts", path[:200])


def _check_closely(path: str) -> None:
    shown = path.encode("ascii", "backslashreplace").decode()[:MAX_PATH_BYTES]
    if any(unicodedata.category(c) in _FORBIDDEN for c in path) or "\\" in path:
        detail = "paths have no control characters and no backslashes"
        raise BundleError("unsafe_name", detail, shown)
    parts = path.split("/")
    if ":" in parts[0] or not all(part and part not in (".", "..") for part in parts):
        raise BundleError("unsafe_name", "the path must be a plain relative one", shown)
    if not unicodedata.is_normalized("NFC", path):
        raise BundleError("unsafe_name", "the path is not in the normal form NFC", shown)
    _check_length(path)


def _check_length(path: str) -> None:
    too_long = any(len(part.encode()) > MAX_PART_BYTES for part in path.split("/"))
    if too_long or len(path.encode()) > MAX_PATH_BYTES:
        detail = f"a path has at most {MAX_PATH_BYTES} bytes, and {MAX_PART_BYTES} in each part"
        raise BundleError("name_too_long", detail, path[:MAX_PATH_BYTES])
