"""The client's cache: one raw file for each tree or piece that files name, shared by all artifacts.

A file's time of change is set to a value that follows from its name once its content was checked;
whatever writes to it afterwards changes that, and it is checked again before use. Eviction unlinks
the files unused for longest, never truncates: what is mapped stays readable.
"""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from hansard.formats.objects import Ref

DEFAULT_MB = 20_480
_STALE_S = 24 * 3600
_TRIM_EVERY_S = 600
_EPOCH_NS = 978_307_200 * 10**9


def cache_folder() -> Path:
    """HANSARD_CACHE_DIR, else `hansard` in the user's cache folder."""
    if folder := os.environ.get("HANSARD_CACHE_DIR"):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "hansard"


class Cache:
    """Parts below a folder, of at most `max_mb` (HANSARD_CACHE_MB, else 20 GB) in all."""

    def __init__(self, folder: Path | None = None, max_mb: int | None = None) -> None:
        self.folder = folder or cache_folder()
        given = os.environ.get("HANSARD_CACHE_MB", str(DEFAULT_MB)) if max_mb is None else max_mb
        self.max_bytes = int(given) << 20
        for name in ("parts", "incoming", "layouts"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    @property
    def memo(self) -> Path:
        """Where what local files were cut into is remembered."""
        return self.folder / "records.db"

    def find(self, part: Ref, intact: Callable[[Path], bool]) -> Path | None:
        """The file of a part; one that was touched since it was checked is checked by `intact`."""
        path = self._place(part.name)
        try:
            facts = path.stat()
        except FileNotFoundError:
            return None
        settled = facts.st_mtime_ns == _mark(part.name)
        if facts.st_size != part.size or not (settled or intact(path)):
            path.unlink(missing_ok=True)
            return None
        if not settled:
            self._settle(path, part.name)
        else:
            with suppress(FileNotFoundError):
                os.utime(path, ns=(time.time_ns(), facts.st_mtime_ns))
        return path

    def incoming(self) -> Path:
        """A place for a part that is being fetched."""
        return self.folder / "incoming" / token_hex(8)

    def keep(self, incoming: Path, part: Ref) -> Path:
        """A checked part from its incoming place. Not synced: lost, it is fetched again."""
        path = self._place(part.name)
        path.parent.mkdir(exist_ok=True)
        self._settle(incoming, part.name)
        incoming.rename(path)
        return path

    def layout(self, root: str) -> Path:
        """Where the layout of a root is kept."""
        return self.folder / "layouts" / root

    def trim_if_due(self, fetched_bytes: int, used: Iterable[Ref]) -> None:
        """Trim after much was fetched, or a while after the last time: it looks at every file."""
        last = self.folder / "trimmed"
        with suppress(FileNotFoundError):
            little = fetched_bytes < self.max_bytes >> 6
            if little and time.time() - last.stat().st_mtime < _TRIM_EVERY_S:
                return
        last.touch()
        self.trim(used)

    def trim(self, used: Iterable[Ref] = ()) -> None:
        """Evict down to the limit, and what cut-off downloads left; `used` goes last."""
        spared = {self._place(part.name) for part in used}
        with os.scandir(self.folder / "incoming") as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if time.time() - entry.stat().st_mtime > _STALE_S:
                        os.unlink(entry.path)
        found = []
        for shelf in ("parts", "layouts"):
            for path in (self.folder / shelf).rglob("*"):
                with suppress(FileNotFoundError):
                    facts = path.stat()
                    if path.is_file():
                        found.append((path in spared, facts.st_atime_ns, facts.st_size, path))
        excess = sum(size for _, _, size, _ in found) - self.max_bytes
        for _, _, size, path in sorted(found):
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            excess -= size

    def _place(self, name: bytes) -> Path:
        text = name.hex()
        return self.folder / "parts" / text[:2] / text

    def _settle(self, path: Path, name: bytes) -> None:
        os.utime(path, ns=(time.time_ns(), _mark(name)))


def _mark(name: bytes) -> int:
    """A time of change that nothing else sets, in whole microseconds."""
    return _EPOCH_NS + int.from_bytes(name[:4], "little") * 1000
