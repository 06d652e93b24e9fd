"""Which files of a folder are packed: patterns as in `.gitignore`, and what never leaves it."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from hansard.formats import archive
from hansard.formats.problems import BundleError

IGNORE_NAME = ".hansardignore"
LEFT_OUT = (
    *("__pycache__/", "*.pyc", "venv/", "node_modules/", "*.egg-info/"),
    *("/data/", "/hansard-runs/"),
)
"""Left out unless a pattern of the user brings it back: ``!/data/``."""
NEVER = (".*",)
"""Hidden files hold secrets (``.env``) and tools' state (``.git``, ``.venv``)."""

MAX_IGNORE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Selection:
    """Decides by name; the later of two patterns wins."""

    included: GitIgnoreSpec | None
    excluded: GitIgnoreSpec

    def takes(self, name: str) -> bool:
        """Whether a file is packed, by its path in the folder."""
        return not self.excluded.match_file(name) and self.includes(name)

    def includes(self, name: str) -> bool:
        """Whether a file that is not left out is among those asked for."""
        return self.included is None or self.included.match_file(name)


def selection(folder: Path, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Selection:
    """The rules of a folder: its ``.hansardignore`` and what is given.

    ``include`` keeps only files that match. Raises BundleError for a pattern that is none.
    """
    excluded = _spec([*LEFT_OUT, *_ignore_lines(folder), *exclude, *NEVER], IGNORE_NAME)
    return Selection(_spec(include, "include") if include else None, excluded)


def collect(folder: Path, chosen: Selection) -> dict[str, bytes]:
    """The chosen files by path. Raises BundleError for links, devices, and what is too much."""
    files: dict[str, bytes] = {}
    total = 0
    for name, entry in _walk(folder, "", chosen):
        total += entry.stat().st_size
        archive.check_size(len(files) + 1, total)  # before it is read: it may be a data set
        files[name] = Path(entry.path).read_bytes()
    return files


def _walk(folder: Path, prefix: str, chosen: Selection) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                if not chosen.excluded.match_file(f"{name}/"):
                    yield from _walk(Path(entry.path), f"{name}/", chosen)
            elif chosen.takes(name):
                _check_plain(name, entry)
                yield name, entry


def _check_plain(name: str, entry: "os.DirEntry[str]") -> None:
    if not entry.is_file(follow_symlinks=False):
        code = "link_refused" if entry.is_symlink() else "special_file"
        raise BundleError(code, "only plain files are packed: exclude this one", name)


def _spec(patterns: Iterable[str], where: str) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise BundleError("invalid_manifest", f"not a pattern: {error}", where) from None


def _ignore_lines(folder: Path) -> list[str]:
    path = folder / IGNORE_NAME
    if not path.is_file():
        return []
    if path.stat().st_size > MAX_IGNORE_BYTES:
        raise BundleError("invalid_manifest", f"more than {MAX_IGNORE_BYTES} bytes", IGNORE_NAME)
    return path.read_text(errors="replace").splitlines()
