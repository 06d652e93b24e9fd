"""Turns local files into an artifact: root, leaves and trees, and where each piece comes from."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hansard.artifacts.memo import Memo, facts_of
from hansard.artifacts.scanning import Scanned, Scanner
from hansard.formats.cutting import Span, leaf_ends
from hansard.formats.objects import (
    Kind,
    Ref,
    Root,
    encode_file,
    encode_leaf,
    encode_root,
    name_of,
    size_in,
)
from hansard.formats.paths import check_paths

Progress = Callable[[int], None]
"""Told the bytes that were dealt with since the last call."""


class Source(NamedTuple):
    """Where the raw content of a piece can be read."""

    path: Path
    span: Span


@dataclass(slots=True)
class Assembled:
    """An artifact ready to be sent. `leaves` are in order, nodes are encoded."""

    root: bytes
    size: int
    files: int
    nodes: dict[bytes, tuple[Kind, bytes]]
    leaves: list[bytes]
    by_path: Mapping[str, Path]
    sources: dict[bytes, Source] = field(default_factory=dict)
    scanned: set[str] = field(default_factory=set)
    """Paths whose pieces and trees are in `sources` and `nodes`; others were only remembered."""


def local_files(place: Path) -> dict[str, Path]:
    """The plain files of a folder, or the one file, by their path in the artifact.

    Raises OSError for links and special files, BundleError for paths that are not accepted.
    """
    if place.is_file() and not place.is_symlink():
        found = {place.name: place}
    else:
        found = dict(_walk(place, ""))
    if not found:
        raise FileNotFoundError(f"`{place}` holds no files")
    check_paths(found)
    return dict(sorted(found.items(), key=lambda item: item[0].encode()))


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), f"{name}/")
            elif entry.is_file(follow_symlinks=False):
                yield name, Path(entry.path)
            else:
                raise OSError(f"`{entry.path}` is a link or no plain file: leave it out")


def assemble(
    files: Mapping[str, Path], memo: Memo | None, on_progress: Progress = lambda _: None
) -> Assembled:
    """Read what is not remembered; answers the artifact. Raises OSError."""
    folder = Path(os.path.commonpath([path.parent for path in files.values()])).resolve()
    known = memo.known(folder) if memo is not None else {}
    found = Assembled(b"", 0, len(files), {}, [], files)
    records: list[tuple[str, bytes]] = []
    fresh: list[tuple[str, os.stat_result, bytes]] = []
    with Scanner() as scanner:
        for path, source in files.items():
            facts = os.stat(source, follow_symlinks=False)
            remembered, record = known.get(path, (b"", b""))
            if remembered != facts_of(facts):
                scanned = scanner.scan(source, path)
                add_scanned(found, scanned)
                record = encode_file(scanned.file)
                fresh.append((path, facts, record))
            on_progress(facts.st_size)
            records.append((path, record))
    if memo is not None:
        memo.remember(folder, fresh)
    _finish(found, records)
    return found


def add_scanned(found: Assembled, scanned: Scanned) -> None:
    """Take in where a file's pieces are, and its trees."""
    for span, name in zip(scanned.spans, scanned.names, strict=True):
        found.sources.setdefault(name, Source(scanned.source, span))
    for tree, raw in scanned.trees:
        found.nodes[tree.name] = (Kind.TREE, raw)
    found.scanned.add(scanned.file.path)


def _finish(found: Assembled, records: Iterable[tuple[str, bytes]]) -> None:
    """The leaves and the root."""
    leaves: list[Ref] = []
    pending: list[bytes] = []
    size = 0
    for path, record in records:
        found.size += size_in(record)
        pending.append(record)
        size += len(record)
        if leaf_ends(path.encode(), size):
            leaves.append(_leaf(found, pending))
            pending, size = [], 0
    if pending:
        leaves.append(_leaf(found, pending))
    raw = encode_root(Root(found.size, found.files, tuple(leaves)))
    found.root = name_of(Kind.ROOT, raw)
    found.nodes[found.root] = (Kind.ROOT, raw)
    found.leaves = [leaf.name for leaf in leaves]


def _leaf(found: Assembled, records: list[bytes]) -> Ref:
    raw = encode_leaf(records)
    name = name_of(Kind.LEAF, raw)
    found.nodes[name] = (Kind.LEAF, raw)
    return Ref(Kind.LEAF, name, len(raw))
