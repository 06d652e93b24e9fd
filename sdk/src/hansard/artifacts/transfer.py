"""Whole artifacts between this machine and the platform, as the client's operations need them."""

import os
import pickletools
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from hansard.artifacts.assembling import Assembled, assemble
from hansard.artifacts.cache import Cache
from hansard.artifacts.downloading import fetch_parts, intact
from hansard.artifacts.layout import Layout, fetch_layout, read_layout
from hansard.artifacts.link import Link
from hansard.artifacts.memo import Memo
from hansard.artifacts.pulling import pull
from hansard.artifacts.uploading import Committed, Upload
from hansard.client_errors import HansardError
from hansard.formats.objects import File, ObjectError, Ref
from hansard.formats.problems import BundleError

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Told a stage (`reading`, `sending`, `fetching`), its bytes so far, and in total if known."""

Choose: TypeAlias = Callable[[File], bool]

_PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".dill")
_LONGEST_PICKLE_HEAD = 1 << 16
_FIRST_PROTOCOL, _LAST_PROTOCOL = 2, 5
_ATTEMPTS = 3


class Meter:
    """Adds up the bytes of a stage, from any thread."""

    def __init__(self, stage: str, total: int | None, told: Progress | None) -> None:
        self._stage = stage
        self._total = total
        self._told = told
        self._done = 0
        self._lock = Lock()

    def __call__(self, count: int) -> None:
        if self._told is not None:
            with self._lock:
                self._done += count
                self._told(self._stage, self._done, self._total)


@dataclass(frozen=True, slots=True)
class Cached:
    """Files of an artifact in the cache: `places` has the file of each part by its name."""

    layout: Layout
    places: Mapping[bytes, Path]


def read_files(
    files: Mapping[str, str | Path],
    told: Progress | None = None,
    *,
    remember: bool = True,
    pickles: bool = False,
) -> Assembled:
    """Cut local files into an artifact, by their paths in it; unchanged ones are remembered.

    `pickles` lets those pass that can be seen to be some. Raises OSError, HansardError for one.
    """
    suspect = None if pickles else refuse_pickle
    for path, source in files.items() if suspect else ():
        if os.fspath(source).lower().endswith(_PICKLE_SUFFIXES):
            refuse_pickle(path, os.fspath(source))
    total = None if told is None else sum(os.lstat(source).st_size for source in files.values())
    meter = Meter("reading", total, told)
    if not remember:
        return assemble(files, None, meter, suspect)
    memo = Memo(open_cache().memo)
    try:
        return assemble(files, memo, meter, suspect)
    finally:
        memo.close()


def send(
    link: Link,
    assembled: Assembled,
    to: str,
    like: Sequence[str] = (),
    told: Progress | None = None,
    *,
    quarantine: bool = False,
) -> Committed:
    """Send what the platform lacks, and have it kept. Raises Refused, Unreachable, OSError."""
    upload = Upload(link, assembled, like, Meter("sending", None, told))
    return upload.run(to, quarantine=quarantine)


def fetch(
    link: Link,
    artifact: str,
    root: str | None,
    choose: Choose | None = None,
    told: Progress | None = None,
    *,
    verify: bool = False,
) -> Cached:
    """The chosen files of an artifact in the cache; `verify` reads all that is there already.

    Raises Refused, Unreachable, Corrupt, OSError.
    """
    cache = open_cache()
    layout = fetch_layout(link, artifact, cache, root)
    if choose is not None:
        layout = replace(layout, files=tuple(filter(choose, layout.files)))
    if verify:
        drop_damaged(cache, layout)
    places = fetch_parts(link, artifact, layout, cache, Meter("fetching", layout.size, told))
    return Cached(layout, places)


def fetch_into(
    link: Link,
    artifact: str,
    root: str | None,
    folder: Path,
    choose: Choose | None = None,
    told: Progress | None = None,
) -> Layout:
    """The chosen files in a new folder, each checked, all or nothing.

    What is damaged in the cache is fetched again. Raises FileExistsError, Refused, Unreachable,
    Corrupt, OSError.
    """
    cache = open_cache()
    layout = fetch_layout(link, artifact, cache, root)
    if choose is not None:
        layout = replace(layout, files=tuple(filter(choose, layout.files)))
    meter = Meter("fetching", layout.size, told)
    for attempt in range(_ATTEMPTS):
        try:
            pull(link, artifact, layout, cache, folder, meter)
        except FileNotFoundError:  # evicted meanwhile
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            break
    return layout


def open_cache() -> Cache:
    """The cache of this machine. Raises HansardError for a setting that is no number."""
    try:
        return Cache()
    except ValueError:
        raise HansardError("HANSARD_CACHE_MB is a whole number of megabytes") from None


def check_cache(cache: Cache) -> tuple[int, list[Path]]:
    """Read every part that a kept layout names; answers how many, and those that were damaged.

    Damaged parts are removed, and layouts that cannot be read.
    """
    seen: set[bytes] = set()
    count, dropped = 0, []
    for path in sorted((cache.folder / "layouts").iterdir()):
        try:
            layout = read_layout(path.read_bytes())
        except (ObjectError, BundleError, KeyError):
            path.unlink(missing_ok=True)
            dropped.append(path)
            continue
        fresh = [part for name, part in layout.parts().items() if name not in seen]
        seen.update(part.name for part in fresh)
        for part in fresh:
            found = _drop_if_damaged(cache, part, layout.pieces(part))
            count += found is not None
            dropped += [found] if found is not None and not found.exists() else []
    return count, dropped


def drop_damaged(cache: Cache, layout: Layout) -> None:
    """Remove from the cache what does not have the content of its name."""
    for part in layout.parts().values():
        _drop_if_damaged(cache, part, layout.pieces(part))


def _drop_if_damaged(cache: Cache, part: Ref, pieces: Sequence[Ref]) -> Path | None:
    """The path of a part that was there, and still is if it is intact."""
    path = cache.find(part, lambda _: True)
    with suppress(FileNotFoundError):  # evicted meanwhile: nothing there to be damaged
        if path is not None and not intact(path, pieces):
            path.unlink()
    return path


def refuse_pickle(path: str, source: str) -> None:
    """Raise HansardError for what can be seen to be a pickle; the platform looks closer."""
    if Path(source).suffix.lower() in _PICKLE_SUFFIXES or _pickled(source):
        raise HansardError(
            f"`{path}` is a pickle, which can run code where it is opened: it is not accepted. "
            "Save tensors (`hansard.save_model(name, module)`), ONNX, skops or a table instead"
        )


def _pickled(source: str) -> bool:
    with open(source, "rb") as file:
        head = file.read(_LONGEST_PICKLE_HEAD)
    if head[:2] in {bytes((0x80, number)) for number in range(_FIRST_PROTOCOL, _LAST_PROTOCOL + 1)}:
        return _begins_as_pickle(head)
    if head[:4] == b"PK\x03\x04" and zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            return any(name.endswith("data.pkl") for name in archive.namelist())
    return False


def _begins_as_pickle(head: bytes) -> bool:
    """Whether the first few operations are some: two bytes are soon equal by chance."""
    operations = 0
    try:
        for _ in pickletools.genops(head):
            operations += 1
            if operations == 8:
                return True
    except ValueError:
        return False
    return True
