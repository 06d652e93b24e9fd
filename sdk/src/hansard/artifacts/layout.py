"""How an artifact is made of pieces, as the platform tells it and the client checks it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hansard.artifacts.cache import Cache
from hansard.artifacts.link import Link
from hansard.client_errors import Corrupt
from hansard.formats.objects import (
    File,
    Kind,
    ObjectError,
    Ref,
    decode_leaf,
    decode_root,
    decode_tree,
)
from hansard.formats.packs import read_frames
from hansard.formats.paths import check_paths
from hansard.formats.problems import BundleError


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of an artifact, and the pieces of their trees."""

    root: str
    files: tuple[File, ...]
    trees: Mapping[bytes, tuple[Ref, ...]]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def pieces(self, part: Ref) -> Sequence[Ref]:
        """The pieces of a part, in order."""
        return self.trees[part.name] if part.kind is Kind.TREE else (part,)

    def parts(self) -> dict[bytes, Ref]:
        """All parts by name, in the order of the files."""
        return {part.name: part for file in self.files for part in file.body}


def fetch_layout(link: Link, artifact: str, cache: Cache, root: str | None = None) -> Layout:
    """The checked layout of an artifact. A known `root` saves its transfer, not the question.

    Raises Refused, Unreachable, Corrupt.
    """
    path = cache.layout(root) if root else None
    known = _known(path)
    headers = {"If-None-Match": f'"{root}"'} if known else {}
    answer = link.ask("GET", f"/v1/artifacts/{artifact}/layout", headers=headers)
    try:
        found = read_layout(answer or known)
    except (ObjectError, BundleError, KeyError) as error:
        if path is not None and not answer:
            path.unlink(missing_ok=True)
            return fetch_layout(link, artifact, cache)
        raise Corrupt(f"the layout of {artifact} is damaged: {error}") from None
    if root is not None and found.root != root:
        raise Corrupt(f"{artifact} is not the content that its version names")
    if answer:
        _keep(cache.layout(found.root), answer, cache)
    return found


def read_layout(data: bytes) -> Layout:
    """A layout from frames: the root first, everything it names among them.

    Raises ObjectError, BundleError, KeyError.
    """
    nodes: dict[bytes, tuple[Kind, bytes]] = {}
    for frame in read_frames(data):
        nodes[frame.name] = (frame.kind, bytes(frame.content()))
    name, (kind, raw) = next(iter(nodes.items()), (b"", (Kind.PIECE, b"")))
    if kind is not Kind.ROOT:
        raise ObjectError("a layout does not begin with its root")
    top = decode_root(raw)
    files = tuple(file for leaf in top.leaves for file in decode_leaf(nodes[leaf.name][1]))
    check_paths(file.path for file in files)
    trees = {part.name: decode_tree(nodes[part.name][1]) for part in _trees(files)}
    for part in _trees(files):
        if sum(piece.size for piece in trees[part.name]) != part.size:
            raise ObjectError("a tree is not as long as its file says")
    if (top.files, top.size) != (len(files), sum(file.size for file in files)):
        raise ObjectError("the root does not count its files right")
    return Layout(name.hex(), files, trees)


def _trees(files: Sequence[File]) -> Iterator[Ref]:
    return (part for file in files for part in file.body if part.kind is Kind.TREE)


def _known(path: Path | None) -> bytes:
    if path is None:
        return b""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _keep(path: Path, data: bytes, cache: Cache) -> None:
    incoming = cache.incoming()
    incoming.write_bytes(data)
    incoming.rename(path)
