"""Turns local files into an artifact: root, leaves and trees, and where each piece comes from."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hansard.artifacts.clusters import (
    Cluster,
    Found,
    Suspect,
    clusters,
    facts_of_all,
    is_small,
)
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

_MOST_HELD = 256
"""Clusters kept in memory until they are sent: 64 MiB at most."""
_NONE = (b"", b"")

Progress = Callable[[int], None]
"""Told the bytes that were dealt with since the last call."""


class Source(NamedTuple):
    """Where the raw content of a piece can be read: a stretch of a file, or several whole files."""

    span: Span
    path: str
    shared: Sequence[Found] = ()


@dataclass(slots=True)
class Assembled:
    """An artifact ready to be sent. `leaves` are in order, nodes are encoded."""

    root: bytes
    size: int
    files: int
    nodes: dict[bytes, tuple[Kind, bytes]]
    leaves: list[bytes]
    by_path: Mapping[str, str | Path]
    sources: dict[bytes, Source] = field(default_factory=dict)
    held: dict[bytes, bytes] = field(default_factory=dict)
    """Content of pieces that need not be read again to be sent."""
    scanned: set[str] = field(default_factory=set)
    """Paths whose pieces and trees are in `sources` and `nodes`; others were only remembered."""


def local_files(place: Path) -> dict[str, str]:
    """The plain files of a folder, or the one file, by their path in the artifact.

    Raises OSError for links and special files, BundleError for paths that are not accepted.
    """
    if place.is_file() and not place.is_symlink():
        found = {place.name: os.fspath(place)}
    else:
        found = dict(_walk(place, ""))
    if not found:
        raise FileNotFoundError(f"`{place}` holds no files")
    return _checked(found)


def named_files(given: Mapping[str, str | Path]) -> dict[str, str]:
    """Plain files that are given their paths in the artifact. Raises as `local_files` does."""
    found = {path: os.fspath(source) for path, source in given.items()}
    for source in found.values():
        if os.path.islink(source) or not os.path.isfile(source):
            raise FileNotFoundError(f"`{source}` is no plain file")
    return _checked(found)


def _checked(found: dict[str, str]) -> dict[str, str]:
    check_paths(found)
    return {path: found[path] for path in sorted(found, key=str.encode)}


def _walk(folder: str | Path, prefix: str) -> Iterator[tuple[str, str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, f"{name}/")
            elif entry.is_file(follow_symlinks=False):
                yield name, entry.path
            else:
                raise OSError(f"`{entry.path}` is a link or no plain file: leave it out")


def assemble(
    files: Mapping[str, str | Path],
    memo: Memo | None,
    on_progress: Progress = lambda _: None,
    suspect: Suspect | None = None,
) -> Assembled:
    """Read what is not remembered; answers the artifact.

    `suspect` is told of what may be a pickle before anything is made of it. Raises OSError.
    """
    sources = ((path, os.fspath(source)) for path, source in files.items())
    listed = [Found(path, source, os.lstat(source)) for path, source in sources]
    folder = _common_folder(listed)
    known = memo.known(folder) if memo is not None else {}
    found = Assembled(b"", 0, len(files), {}, [], files)
    assembly = _Assembly(found, known, on_progress, suspect)
    assembly.take_small([file for file in listed if is_small(file.facts)])
    assembly.take_large([file for file in listed if not is_small(file.facts)])
    if memo is not None:
        memo.remember(folder, assembly.fresh)
    found.size = sum(size_in(record) for record in assembly.records.values())
    _finish(found, ((path, assembly.records[path]) for path in files))
    return found


def _common_folder(files: Sequence[Found]) -> Path:
    sources = [file.source for file in files]
    folders = map(os.path.dirname, (min(sources), max(sources)))
    return Path(os.path.commonpath(list(folders))).resolve()


@dataclass(slots=True)
class _Assembly:
    """The records of files by their paths, and what is to be remembered of them."""

    found: Assembled
    known: Mapping[str, tuple[bytes, bytes]]
    on_progress: Progress
    suspect: Suspect | None
    records: dict[str, bytes] = field(default_factory=dict)
    fresh: list[tuple[str, bytes, int, bytes]] = field(default_factory=list)

    def take_small(self, files: Sequence[Found]) -> None:
        """Have those that follow each other share pieces."""
        for cluster in clusters(files, self.known, self.suspect):
            paths = [file.path for file in cluster.files]
            self.records.update(zip(paths, cluster.records, strict=True))
            if cluster.content:
                facts, changed = facts_of_all(cluster.files), max(map(_changed, cluster.files))
                self.fresh.append((paths[0], facts, changed, cluster.remembered))
            add_cluster(self.found, cluster)
            self.on_progress(cluster.piece.size)

    def take_large(self, files: Sequence[Found]) -> None:
        """Cut each one into pieces of its own."""
        with Scanner() as scanner:
            for file in files:
                facts, (remembered, record) = facts_of(file.facts), self.known.get(file.path, _NONE)
                if remembered != facts:
                    if self.suspect is not None:
                        self.suspect(file.path, file.source)
                    scanned = scanner.scan(file.source, file.path)
                    add_scanned(self.found, scanned)
                    record = encode_file(scanned.file)
                    self.fresh.append((file.path, facts, _changed(file), record))
                self.records[file.path] = record
                self.on_progress(file.facts.st_size)


def _changed(file: Found) -> int:
    return max(file.facts.st_mtime_ns, file.facts.st_ctime_ns)


def add_cluster(found: Assembled, cluster: Cluster) -> None:
    """Take in where the content of small files is, and the content while there is room for it."""
    span = Span(0, cluster.piece.size)
    source = Source(span, cluster.files[0].source, cluster.files)
    found.sources.setdefault(cluster.piece.name, source)
    found.scanned.update(file.path for file in cluster.files)
    if cluster.content and len(found.held) < _MOST_HELD:
        found.held[cluster.piece.name] = cluster.content


def add_scanned(found: Assembled, scanned: Scanned) -> None:
    """Take in where a file's pieces are, and its trees."""
    for span, name in zip(scanned.spans, scanned.names, strict=True):
        found.sources.setdefault(name, Source(span, scanned.source))
    for tree, raw in scanned.trees:
        found.nodes[tree.name] = (Kind.TREE, raw)
    found.scanned.add(scanned.file.path)


def _finish(found: Assembled, records: Iterable[tuple[str, bytes]]) -> None:
    """The leaves and the root."""
    leaves: list[Ref] = []
    pending: list[bytes] = []
    size = 0
    for path, record in records:
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
