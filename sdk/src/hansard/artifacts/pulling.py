"""Puts an artifact's files into a new folder: what is cached is copied, the rest fetched in place.

What arrives is written once, where it is wanted. The cache gets its copy afterwards, in the
background, while whoever asked goes on.
"""

import errno
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hansard.artifacts.cache import Cache
from hansard.artifacts.downloading import (
    MOST_OPEN,
    Place,
    Progress,
    Target,
    closing_all,
    fetch_pieces,
    intact,
)
from hansard.artifacts.layout import Layout
from hansard.artifacts.link import Link
from hansard.formats.objects import Cut, File, Ref

_KEPT_OPEN = 1 << 20
_MOST_CACHED = 4096
_COPIERS = 2
_RESERVE_BYTES = 256 << 20  # left free, whoever asks for how much


@dataclass(slots=True)
class Plan:
    """Where each part goes, what of them must be fetched, and what is copied from the cache."""

    wanted: dict[Ref, list[Place]] = field(default_factory=dict)
    pieces: dict[bytes, Ref] = field(default_factory=dict)
    places: dict[bytes, list[Place]] = field(default_factory=dict)
    copies: list[tuple[Ref, Path]] = field(default_factory=list)
    fetched: list[Ref] = field(default_factory=list)


def pull(
    link: Link,
    artifact: str,
    layout: Layout,
    cache: Cache,
    folder: Path,
    on_progress: Progress = lambda _: None,
) -> threading.Thread:
    """All files of an artifact in a new folder: whole and checked, or not at all.

    The thread that is answered fills the cache meanwhile; nobody needs to wait for it. Raises
    FileExistsError, Refused, Unreachable, Corrupt, OSError.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists already: give a folder that does not")
    folder.parent.mkdir(parents=True, exist_ok=True)
    require_room(folder.parent, layout.size)
    # Beside its place, so that the last step is one rename on one file system.
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with closing_all() as opened:
            plan = _planned(layout, cache, beside, opened)
            _copy_cached(plan, layout, on_progress)
            fetch_pieces(link, artifact, list(plan.pieces.values()), plan.places, on_progress)
        beside.chmod(0o755)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    arguments = (plan, layout, cache, beside, folder)
    filling = threading.Thread(target=_fill, args=arguments, name="hansard-cache")
    filling.start()
    return filling


def require_room(folder: Path, size: int) -> None:
    """Raise OSError unless the disk has room for so many bytes: repeated content is sent once."""
    free = shutil.disk_usage(folder).free
    if size > free - _RESERVE_BYTES:
        detail = f"{size >> 20} MB do not fit on the disk of `{folder}`: {free >> 20} MB are free"
        raise OSError(errno.ENOSPC, detail)


def _planned(layout: Layout, cache: Cache, folder: Path, opened: list[int]) -> Plan:
    plan = Plan()
    for file in layout.files:
        target = _target(folder / file.path, file, opened)
        if file.cut is Cut.SHARED:
            place = Place(target, 0, file.offset, file.offset + file.size)
            plan.wanted.setdefault(file.body[0], []).append(place)
            continue
        at = 0
        for part in file.body:
            plan.wanted.setdefault(part, []).append(Place(target, at))
            at += part.size
    for part in plan.wanted:
        cached = cache.find(part, partial(intact, pieces=layout.pieces(part)))
        if cached is not None:
            plan.copies.append((part, cached))
        else:
            _fetch(plan, part, layout)
    return plan


def _fetch(plan: Plan, part: Ref, layout: Layout) -> None:
    plan.fetched.append(part)
    at = 0
    for piece in layout.pieces(part):
        plan.pieces[piece.name] = piece
        places = [place._replace(offset=place.offset + at) for place in plan.wanted[part]]
        plan.places.setdefault(piece.name, []).extend(places)
        at += piece.size


def _target(path: Path, file: File, opened: list[int]) -> Target:
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o644)
    if file.size < _KEPT_OPEN or len(opened) >= MOST_OPEN:
        os.close(descriptor)
        return Target(path, None)
    opened.append(descriptor)
    return Target(path, descriptor)


def _copy_cached(plan: Plan, layout: Layout, on_progress: Progress) -> None:
    """Copy what is cached, checked; what turns out damaged is fetched."""

    def copy(part: Ref, cached: Path) -> bool:
        for place in plan.wanted[part]:
            if place.end is None:
                _copy(cached, place.target, place.offset, part.size)
        shared = [place for place in plan.wanted[part] if place.end is not None]
        content = cached.read_bytes() if shared else b""
        for place in shared:
            place.put(content)
        return intact(cached, layout.pieces(part))

    with ThreadPoolExecutor(_COPIERS, "hansard-copy") as pool:
        copied = [pool.submit(copy, *each) for each in plan.copies]
        for (part, cached), check in zip(plan.copies, copied, strict=True):
            if not check.result():
                cached.unlink(missing_ok=True)
                _fetch(plan, part, layout)
            on_progress(part.size)


def _copy(cached: Path, target: Target, at: int, size: int) -> None:
    """In the kernel where it can, which shares blocks where the file system can."""
    with cached.open("rb") as source, target.path.open("r+b") as file:
        done = 0
        with suppress(OSError, AttributeError):  # not on every system, or across these two
            while done < size:
                got = os.copy_file_range(
                    source.fileno(), file.fileno(), size - done, done, at + done
                )
                if not got:
                    break
                done += got
        source.seek(done)
        file.seek(at + done)
        shutil.copyfileobj(source, file)


def _fill(plan: Plan, layout: Layout, cache: Cache, beside: Path, folder: Path) -> None:
    """Give the cache what was fetched; of very many small parts the large ones only."""
    least = 0 if len(plan.fetched) <= _MOST_CACHED else _KEPT_OPEN
    with suppress(OSError):  # a cache that cannot be filled harms nobody
        for part in plan.fetched:
            if part.size >= least:
                stretches = _stretches(part, plan, layout)
                _keep(cache, part, stretches, layout.pieces(part), beside, folder)
        if plan.fetched:
            cache.trim_if_due(sum(part.size for part in plan.fetched), plan.fetched)


def _stretches(part: Ref, plan: Plan, layout: Layout) -> Iterator[tuple[Path, int, int]]:
    """Path, offset and length of the stretches of files that make up a part."""
    places = plan.wanted[part]
    whole = next((place for place in places if place.end is None), None)
    if whole is not None:
        at = whole.offset
        for piece in layout.pieces(part):
            yield whole.target.path, at, piece.size
            at += piece.size
    else:
        for start, end, path in sorted({(p.start, p.end or 0, p.target.path) for p in places}):
            yield path, 0, end - start


def _keep(
    cache: Cache,
    part: Ref,
    stretches: Iterable[tuple[Path, int, int]],
    pieces: Sequence[Ref],
    beside: Path,
    folder: Path,
) -> None:
    """A part from files whose owner may have written to them already."""
    incoming = cache.incoming()
    try:
        with incoming.open("xb") as file:
            for path, at, size in stretches:
                file.write(_read(folder / path.relative_to(beside), at, size))
        if incoming.stat().st_size == part.size and intact(incoming, pieces):
            cache.keep(incoming, part)
    finally:
        incoming.unlink(missing_ok=True)


def _read(path: Path, at: int, size: int) -> bytes:
    """A stretch of a plain file; nothing of anything else. Raises OSError."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with open(os.open(path, flags), "rb") as source:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            return b""
        source.seek(at)
        return source.read(size)
