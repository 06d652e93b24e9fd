"""Cuts files into pieces so that what two files have in common gets the same names.

A safetensors file is cut at its tensors, so that a new head leaves the backbone's pieces as they
were. Any other file is cut where its content says so (FastCDC), so that an insertion changes the
pieces around it only. Pieces are gathered into trees, a layer or a few megabytes each. Small files
that follow each other share a piece, a cluster, which ends where the content of a file says so.

Source: Xia et al., FastCDC (USENIX ATC 2016), as pyfastcdc implements it.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from zlib import crc32

from pyfastcdc import FastCDC

from hansard.formats.objects import (
    MAX_CLUSTER_BYTES,
    MAX_PIECE_BYTES,
    MAX_SHARED_BYTES,
    MAX_TREE_PIECES,
    Cut,
    Kind,
    Ref,
    encode_tree,
    name_of,
)
from hansard.formats.safetensors import Header

WINDOW_BYTES = 8 << 20
_LEAST, _AVERAGE, _MOST = 16 << 10, 64 << 10, 256 << 10
_DIRECT = 4
"""A tree of fewer pieces is not worth an object: the file names them itself."""
_TREE_MASK = 0xFF
_LEAF_MASK = 0x1FF
_LEAF_BYTES = 1 << 20
_CLUSTER_LEAST, _CLUSTER_MEAN = 64 << 10, 64 << 10
"""A cluster has the least, and then as much again on average."""
_NUMBERED = re.compile(r"(.*?\.\d+)\.")
_ROTATED = frozenset({"F32", "BF16"})
_WIDTHS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
}

CONTENT_RULE = Cut.CONTENT if FastCDC.__module__.startswith("pyfastcdc.cy") else Cut.FIXED
"""Without its compiled part FastCDC is a hundred times slower: files are cut at 4 MiB then."""


class Span(NamedTuple):
    """A stretch of a file that becomes a piece: elements of `width` bytes; `group` is its tree."""

    offset: int
    size: int
    width: int = 1
    rotated: bool = False
    group: int = 0


def tensor_spans(header: Header) -> list[Span]:
    """The pieces of a safetensors file: the header, then each tensor, a tree for each layer."""
    spans = list(_steps(0, header.data_start, 1, rotated=False, group=0))
    group, layer = 0, None
    for tensor in header.tensors:
        if layer_of(tensor.name) != layer:
            group, layer = group + 1, layer_of(tensor.name)
        start = header.data_start + tensor.start
        width, rotated = _WIDTHS.get(tensor.dtype, 1), tensor.dtype in _ROTATED
        spans += _steps(start, tensor.end - tensor.start, width, rotated=rotated, group=group)
    return spans


def layer_of(name: str) -> str:
    """The part of a tensor's name up to its first number, else without its last component."""
    if found := _NUMBERED.match(name):
        return found[1]
    return ".".join(name.split(".")[:2][: max(1, name.count("."))])


def fixed_spans(size: int) -> list[Span]:
    """Pieces of 4 MiB."""
    return list(_steps(0, size, 1, rotated=False, group=0))


def content_sizes(window: memoryview, *, last: bool) -> list[int]:
    """The lengths of the pieces of a window; what the next window must begin with is left out."""
    cutter = FastCDC(_AVERAGE, min_size=_LEAST, max_size=_MOST, normalized_chunking=1, seed=0)
    sizes = [chunk.length for chunk in cutter.cut_buf(window)]
    return sizes if last else sizes[:-1]


def _steps(start: int, size: int, width: int, *, rotated: bool, group: int) -> Iterator[Span]:
    for at in range(0, size, MAX_PIECE_BYTES):
        yield Span(start + at, min(MAX_PIECE_BYTES, size - at), width, rotated, group)


def gather(
    cut: Cut, spans: Sequence[Span], names: Sequence[bytes]
) -> tuple[tuple[Ref, ...], list[tuple[Ref, bytes]]]:
    """A file's body of pieces and trees, and the trees with their encoding."""
    body: list[Ref] = []
    trees: list[tuple[Ref, bytes]] = []
    for pieces in _stretches(cut, spans, names):
        if len(pieces) < _DIRECT:
            body += pieces
            continue
        raw = encode_tree(pieces)
        size = sum(piece.size for piece in pieces)
        tree = Ref(Kind.TREE, name_of(Kind.TREE, raw), size)
        body.append(tree)
        trees.append((tree, raw))
    return tuple(body), trees


def _stretches(cut: Cut, spans: Sequence[Span], names: Sequence[bytes]) -> Iterator[list[Ref]]:
    """The pieces of each tree: of one layer, or up to a piece whose name says so."""
    found: list[Ref] = []
    group = 0
    for span, name in zip(spans, names, strict=True):
        if found and (span.group != group or len(found) == MAX_TREE_PIECES):
            yield found
            found = []
        group = span.group
        found.append(Ref(Kind.PIECE, name, span.size))
        if cut is not Cut.TENSORS and name[0] & _TREE_MASK == 0:
            yield found
            found = []
    if found:
        yield found


def leaf_ends(path: bytes, leaf_bytes: int) -> bool:
    """Whether a leaf ends behind the record of this path: its name decides, or there is enough."""
    return crc32(path) & _LEAF_MASK == 0 or leaf_bytes >= _LEAF_BYTES


def cluster_ends(content: bytes, size: int, cluster_bytes: int) -> bool:
    """Whether a cluster ends behind a file, given the BLAKE3 of its content and the two sizes.

    `cluster_bytes` includes the file. A large file is as likely to end one as small ones together
    that are as large. Only what is in the cluster matters, whatever comes behind it.
    """
    if cluster_bytes > MAX_CLUSTER_BYTES - MAX_SHARED_BYTES:  # the next one may not fit
        return True
    drawn = int.from_bytes(content[:4], "little")
    return cluster_bytes >= _CLUSTER_LEAST and drawn * _CLUSTER_MEAN < size << 32
