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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from hansard.artifacts.cache import Cache
from hansard.artifacts.downloading import (
    MOST_OPEN,
    Progress,
    Target,
    closing_all,
    fetch_pieces,
    intact,
)
from hansard.artifacts.layout import Layout
from hansard.artifacts.link import Link
from hansard.formats.objects import File, Kind, Ref, name_of

_KEPT_OPEN = 1 << 20
_MOST_CACHED = 4096
_COPIERS = 2
_RESERVE_BYTES = 256 << 20  # left free, whoever asks for how much


@dataclass(slots=True)
class Plan:
    """Where each piece goes that must be fetched, and what is copied from the cache."""

    pieces: dict[bytes, Ref] = field(default_factory=dict)
    places: dict[bytes, list[tuple[Target, int]]] = field(default_factory=dict)
    copies: list[tuple[Ref, Path, Target, int]] = field(default_factory=list)
    fetched: list[tuple[Ref, Target, int]] = field(default_factory=list)


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
    fetched = {
        part.name: (part, folder / target.path.relative_to(beside), at)
        for part, target, at in plan.fetched
    }
    arguments = (list(fetched.values()), layout, cache)
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
        at = 0
        for part in file.body:
            cached = cache.find(part, partial(intact, pieces=layout.pieces(part)))
            if cached is not None:
                plan.copies.append((part, cached, target, at))
            else:
                _fetch_to(plan, layout.pieces(part), target, at)
                plan.fetched.append((part, target, at))
            at += part.size
    return plan


def _fetch_to(plan: Plan, pieces: Sequence[Ref], target: Target, at: int) -> None:
    for piece in pieces:
        plan.pieces[piece.name] = piece
        plan.places.setdefault(piece.name, []).append((target, at))
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

    def copy(part: Ref, cached: Path, target: Target, at: int) -> bool:
        _copy(cached, target, at, part.size)
        return intact(cached, layout.pieces(part))

    with ThreadPoolExecutor(_COPIERS, "hansard-copy") as pool:
        copied = [pool.submit(copy, *each) for each in plan.copies]
        for (part, cached, target, at), check in zip(plan.copies, copied, strict=True):
            if not check.result():
                cached.unlink(missing_ok=True)
                _fetch_to(plan, layout.pieces(part), target, at)
                plan.fetched.append((part, target, at))
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


def _fill(fetched: Sequence[tuple[Ref, Path, int]], layout: Layout, cache: Cache) -> None:
    """Give the cache what was fetched; of very many small parts the large ones only."""
    least = 0 if len(fetched) <= _MOST_CACHED else _KEPT_OPEN
    with suppress(OSError):  # a cache that cannot be filled harms nobody
        for part, path, at in fetched:
            if part.size >= least:
                _keep(cache, part, path, at, layout.pieces(part))
        if fetched:
            cache.trim_if_due(sum(part.size for part, _, _ in fetched), [p for p, _, _ in fetched])


def _keep(cache: Cache, part: Ref, path: Path, at: int, pieces: Sequence[Ref]) -> None:
    """A part from a file whose owner may have written to it already."""
    incoming = cache.incoming()
    try:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        with open(os.open(path, flags), "rb") as source, incoming.open("xb") as file:
            if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                return
            source.seek(at)
            for piece in pieces:
                content = source.read(piece.size)
                if name_of(Kind.PIECE, content) != piece.name:
                    return
                file.write(content)
        cache.keep(incoming, part)
    finally:
        incoming.unlink(missing_ok=True)
