"""The objects of the artifact store, and their encoding, read with distrust.

    piece   bytes of a file, or small files one behind the other; its name is their BLAKE3
    tree    pieces in order: a stretch of one file that others may share (a layer, a few MB)
    leaf    records of files, sorted by path: a stretch of an artifact's list of files
    root    the leaves in order: the artifact; its name is the identity of all content

The name of a node is a BLAKE3 under a context of its kind, so no piece can pass for a node. Names
cover raw content: neither the codec nor the pack an object lies in can change them.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from blake3 import blake3

NAME_BYTES = 32
MAX_PIECE_BYTES = 4 << 20
MAX_OBJECT_BYTES = 8 << 20
MAX_TREE_PIECES = 4096
MAX_FILES = 1_000_000
MAX_ARTIFACT_BYTES = 5 << 40
MAX_PATH_BYTES = 1024
MAX_LEAF_BYTES = 2 << 20
MAX_SHARED_BYTES = 16 << 10
"""Of a file that shares a piece with others."""
MAX_CLUSTER_BYTES = 256 << 10
"""Of a piece that files share."""
MAX_LIST_BYTES = 256 << 20
"""Of all leaves of an artifact: a short one can name one part very often."""


class Kind(IntEnum):
    """What an object is."""

    PIECE = 0
    TREE = 1
    LEAF = 2
    ROOT = 3


class ObjectError(ValueError):
    """Bytes that are no valid object; the message says why."""


class Cut(IntEnum):
    """The rule by which a file was cut into pieces; a rule never changes its meaning."""

    FIXED = 0  # 4 MiB each
    CONTENT = 1  # FastCDC, 16, 64 and 256 KiB
    TENSORS = 2  # the header, then each tensor in 4 MiB; a tree is a layer
    SHARED = 3  # a stretch of one piece, in which other small files lie as well


class Ref(NamedTuple):
    """Points at an object. `size` is raw bytes: of a piece its own, of a tree all its pieces."""

    kind: Kind
    name: bytes
    size: int


class File(NamedTuple):
    """One file of an artifact: `body` is its content in order, pieces and trees.

    Of a piece that it shares its content begins at `offset`, and `content` is the BLAKE3 of it.
    """

    path: str
    size: int
    cut: Cut
    body: tuple[Ref, ...]
    offset: int = 0
    content: bytes = b""

    @property
    def digest(self) -> bytes:
        """Names the content: its BLAKE3 if it is in one piece, else a digest of the parts.

        It follows from the parts, or was checked against the content when that was committed, so
        that nobody can say anything else. Equal content has equal digests as long as it is cut by
        the same rule.
        """
        if self.cut is Cut.SHARED:
            return self.content
        if not self.body:
            return _NOTHING
        if len(self.body) == 1 and self.body[0].kind is Kind.PIECE:
            return self.body[0].name
        return blake3(_encoded(self.body), derive_key_context=_FILE_CONTEXT).digest()


class Root(NamedTuple):
    """The top of an artifact; a leaf's `size` is that of the encoded leaf."""

    size: int  # of all files, bytes
    files: int
    leaves: tuple[Ref, ...]


_CONTEXTS = {
    Kind.TREE: "hansard artifact store, tree, version 1",
    Kind.LEAF: "hansard artifact store, leaf, version 1",
    Kind.ROOT: "hansard artifact store, root, version 1",
}
_FILE_CONTEXT = "hansard artifact store, file, version 1"
_NOTHING = blake3().digest()
_TREE, _LEAF, _ROOT = b"HTR1", b"HLF1", b"HRT1"
_UNSORTED = "the files of a leaf are not sorted by their paths, each once"
_PIECE = struct.Struct("<32sI")
_PART = struct.Struct("<B32sQ")
_FILE = struct.Struct("<HQBI")
_SHARE = struct.Struct("<I32s")
_TOP = struct.Struct("<4sQQ")


def name_of(kind: Kind, raw: bytes | bytearray | memoryview) -> bytes:
    """The 32-byte name of an object with this raw content."""
    context = _CONTEXTS.get(kind)
    hasher = blake3() if context is None else blake3(derive_key_context=context)
    return hasher.update(raw).digest()


def encode_tree(pieces: Sequence[Ref]) -> bytes:
    """The tree of pieces in order."""
    return b"".join((_TREE, *(_PIECE.pack(piece.name, piece.size) for piece in pieces)))


def decode_tree(raw: bytes) -> tuple[Ref, ...]:
    """The pieces of a tree. Raises ObjectError."""
    count, rest = divmod(len(raw) - len(_TREE), _PIECE.size)
    if raw[:4] != _TREE or rest or not 0 < count <= MAX_TREE_PIECES:
        raise ObjectError("a tree is not encoded as one")
    pieces = tuple(Ref(Kind.PIECE, *each) for each in _PIECE.iter_unpack(raw[4:]))
    if not all(0 < piece.size <= MAX_PIECE_BYTES for piece in pieces):
        raise ObjectError("a tree holds a piece of an impossible size")
    return pieces


def encode_file(file: File) -> bytes:
    """A file's record within a leaf."""
    path = file.path.encode()
    head = _FILE.pack(len(path), file.size, file.cut, len(file.body))
    shared = file.cut is Cut.SHARED
    tail = _SHARE.pack(file.offset, file.content) if shared else b""
    return b"".join((head, path, _encoded(file.body), tail))


def encode_sharing(piece: Ref, files: Iterable[tuple[bytes, int, bytes]]) -> list[bytes]:
    """The records of files that share a piece, in the order in which they lie in it.

    A file is its path, its size and the BLAKE3 of its content. One that is alone shares nothing.
    """
    its = list(files)
    part = _encoded((piece,))
    if len(its) == 1:
        path, size, _ = its[0]
        return [_FILE.pack(len(path), size, Cut.FIXED, 1) + path + part]
    records, at = [], 0
    for path, size, content in its:
        head = _FILE.pack(len(path), size, Cut.SHARED, 1)
        records.append(head + path + part + _SHARE.pack(at, content))
        at += size
    return records


def _encoded(body: Sequence[Ref]) -> bytes:
    return b"".join(_PART.pack(part.kind, part.name, part.size) for part in body)


def size_in(record: bytes) -> int:
    """The size of the file that a record is of, bytes."""
    return int(_FILE.unpack_from(record)[1])


def encode_leaf(records: Sequence[bytes]) -> bytes:
    """A leaf of encoded records, which are sorted by the bytes of their paths."""
    return b"".join((_LEAF, *records))


def decode_leaf(raw: bytes) -> tuple[File, ...]:
    """The files of a leaf. Raises ObjectError."""
    if raw[:4] != _LEAF or len(raw) > MAX_LEAF_BYTES:
        raise ObjectError("a leaf is not encoded as one")
    try:
        files = tuple(_records(raw))
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise ObjectError(f"a leaf cannot be read: {error}") from None
    if not files:
        raise ObjectError(_UNSORTED)
    return files


def _records(raw: bytes) -> Iterator[File]:
    at, before = len(_LEAF), b""
    encoded, whole = b"", 0
    body: tuple[Ref, ...] = ()
    while at < len(raw):
        path_bytes, size, cut, count = _FILE.unpack_from(raw, at)
        at += _FILE.size
        path = raw[at : at + path_bytes]
        at += path_bytes
        end = at + count * _PART.size
        if not 0 < path_bytes <= MAX_PATH_BYTES or end > len(raw):
            raise ObjectError("a file's record is cut off")
        if path <= before:
            raise ObjectError(_UNSORTED)
        before = path
        if encoded != raw[at:end]:  # those that share a piece follow each other
            encoded, body = raw[at:end], _body(raw[at:end])
            whole = sum(part.size for part in body)
        at = end
        if cut == Cut.SHARED:
            offset, content = _SHARE.unpack_from(raw, at)
            at += _SHARE.size
            _check_shared(body, offset, size)
            yield File(path.decode(), size, Cut.SHARED, body, offset, content)
        elif whole != size:
            raise ObjectError("the parts of a file do not make up its size")
        else:
            yield File(path.decode(), size, Cut(cut), body)


def _body(encoded: bytes) -> tuple[Ref, ...]:
    return tuple(_part(*each) for each in _PART.iter_unpack(encoded))


def _part(kind: int, name: bytes, size: int) -> Ref:
    most = {Kind.PIECE: MAX_PIECE_BYTES, Kind.TREE: MAX_TREE_PIECES * MAX_PIECE_BYTES}
    if not 0 < size <= most.get(Kind(kind), 0):
        raise ObjectError("a file holds a part of an impossible size")
    return Ref(Kind(kind), name, size)


def _check_shared(body: tuple[Ref, ...], offset: int, size: int) -> None:
    if len(body) != 1 or body[0].kind is not Kind.PIECE or body[0].size > MAX_CLUSTER_BYTES:
        raise ObjectError("a file shares something else than one small piece")
    if not 0 < size <= min(MAX_SHARED_BYTES, body[0].size - offset):
        raise ObjectError("a file does not lie in the piece that it shares")


def encode_root(root: Root) -> bytes:
    """The root of an artifact."""
    top = _TOP.pack(_ROOT, root.size, root.files)
    return b"".join((top, *(_PIECE.pack(leaf.name, leaf.size) for leaf in root.leaves)))


def decode_root(raw: bytes) -> Root:
    """Raises ObjectError."""
    count, rest = divmod(len(raw) - _TOP.size, _PIECE.size)
    if raw[:4] != _ROOT or rest or count < 1:
        raise ObjectError("a root is not encoded as one")
    _, size, files = _TOP.unpack_from(raw)
    leaves = tuple(Ref(Kind.LEAF, *each) for each in _PIECE.iter_unpack(raw[_TOP.size :]))
    if sum(leaf.size for leaf in leaves) > MAX_LIST_BYTES:
        raise ObjectError(f"the lists of an artifact's files have at most {MAX_LIST_BYTES} bytes")
    if size > MAX_ARTIFACT_BYTES or not 0 < files <= MAX_FILES:
        raise ObjectError("an artifact has 1 to 1,000,000 files of 5 TiB in all")
    return Root(size, files, leaves)


def children(kind: Kind, raw: bytes) -> tuple[Ref, ...]:
    """What an object refers to; nothing for a piece. Raises ObjectError."""
    match kind:
        case Kind.PIECE:
            return ()
        case Kind.TREE:
            return decode_tree(raw)
        case Kind.LEAF:
            return tuple(dict.fromkeys(part for file in decode_leaf(raw) for part in file.body))
        case Kind.ROOT:
            return decode_root(raw).leaves
