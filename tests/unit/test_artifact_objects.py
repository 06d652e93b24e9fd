"""Objects of the artifact store: what is encoded comes back, and nothing passes for another."""

import struct

import pytest
from blake3 import blake3

from hansard.formats.objects import (
    MAX_CLUSTER_BYTES,
    MAX_FILES,
    MAX_PIECE_BYTES,
    MAX_SHARED_BYTES,
    MAX_TREE_PIECES,
    Cut,
    File,
    Kind,
    ObjectError,
    Ref,
    Root,
    children,
    decode_leaf,
    decode_root,
    decode_tree,
    encode_file,
    encode_leaf,
    encode_root,
    encode_sharing,
    encode_tree,
    name_of,
)

NAME = bytes(range(32))


def piece(size: int = 3, name: bytes = NAME) -> Ref:
    return Ref(Kind.PIECE, name, size)


def file(path: str, *body: Ref, **more: int) -> File:
    size = more.get("size", sum(part.size for part in body))
    return File(path, size, Cut.CONTENT, body)


def leaf(*files: File) -> bytes:
    return encode_leaf([encode_file(each) for each in files])


def test_trees_leaves_and_roots_come_back_as_they_were() -> None:
    pieces = tuple(piece(n + 1, bytes([n] * 32)) for n in range(5))
    assert decode_tree(encode_tree(pieces)) == pieces
    tree = Ref(Kind.TREE, b"t" * 32, 5 * MAX_PIECE_BYTES)
    files = (file("a/b.bin", tree, *pieces), file("empty"), file("\u00e9t\u00e9.txt", piece()))
    assert decode_leaf(leaf(*files)) == files
    root = Root(2**40, 3, (Ref(Kind.LEAF, NAME, 10), Ref(Kind.LEAF, b"z" * 32, 11)))
    assert decode_root(encode_root(root)) == root


def test_the_same_bytes_have_another_name_as_each_kind() -> None:
    raw = encode_tree([piece()])
    assert len({name_of(kind, raw) for kind in Kind}) == len(Kind)


def test_names_are_the_published_ones_for_ever() -> None:
    """Names that are stored in events: a change of library or context would lose all content."""
    assert [name_of(kind, b"hansard").hex()[:16] for kind in Kind] == [
        "545ec62349bc0666",
        "c6ea47831caaddbf",
        "c7705084a3111985",
        "afa1f40b3fd58129",
    ]


def test_children_are_what_an_object_refers_to() -> None:
    inner = (piece(1), piece(2, b"b" * 32))
    assert children(Kind.PIECE, b"anything") == ()
    assert children(Kind.TREE, encode_tree(inner)) == inner
    assert children(Kind.LEAF, leaf(file("a", inner[0]), file("b", inner[1]))) == inner
    leaves = (Ref(Kind.LEAF, NAME, 9),)
    assert children(Kind.ROOT, encode_root(Root(1, 1, leaves))) == leaves


def test_a_files_digest_is_its_piece_or_follows_from_its_parts() -> None:
    assert file("empty").digest == blake3().digest()
    assert file("a", piece()).digest == NAME
    parts = (piece(1), piece(2, b"b" * 32), Ref(Kind.TREE, NAME, 9))
    digests = {
        file("a", *parts).digest,
        file("a", *reversed(parts)).digest,
        file("a", *parts[:2]).digest,
        file("a", piece(2), *parts[1:]).digest,
        file("a", parts[2]).digest,
    }
    assert len(digests) == 5
    assert file("b", *parts).digest in digests
    assert file("a", *parts).digest.hex()[:16] == "fd177c83a5f81fc2"


def shared(path: str = "a", size: int = 3, offset: int = 0, *body: Ref) -> File:
    return File(path, size, Cut.SHARED, body or (piece(9),), offset, b"d" * 32)


def test_files_that_share_a_piece_come_back_as_they_were() -> None:
    files = (shared(), shared("b", 4, 3), file("c", piece(1)), shared("d", 2, 7))
    assert decode_leaf(leaf(*files)) == files
    its = [("a", 3), ("b", 4), ("d", 2)]
    records = encode_sharing(piece(9), [(p.encode(), size, b"d" * 32) for p, size in its])
    assert decode_leaf(encode_leaf(records)) == (files[0], files[1], files[3])
    assert children(Kind.LEAF, leaf(*files)) == (piece(9), piece(1))
    assert records[1].hex()[:20] == "01000400000000000000"
    assert blake3(b"".join(records)).hexdigest()[:16] == "4cb233a89a8d6e30"


def test_a_file_that_is_alone_shares_nothing() -> None:
    assert encode_sharing(piece(3), [(b"a", 3, NAME)]) == [
        encode_file(File("a", 3, Cut.FIXED, (piece(3),)))
    ]


def test_the_digest_of_a_file_that_shares_a_piece_is_that_of_its_content() -> None:
    assert shared().digest == shared("b", 3, 6).digest == b"d" * 32


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTR1",
        b"HTR1" + b"x" * 35,
        b"HRT1" + struct.pack("<32sI", NAME, 1),
        encode_tree([piece(0)]),
        encode_tree([piece(MAX_PIECE_BYTES + 1)]),
        encode_tree([piece()] * (MAX_TREE_PIECES + 1)),
    ],
    ids=["empty", "no piece", "cut off", "of a root", "empty piece", "large piece", "too many"],
)
def test_what_is_no_tree_is_refused(raw: bytes) -> None:
    with pytest.raises(ObjectError):
        decode_tree(raw)


@pytest.mark.parametrize(
    ("raw", "about"),
    [
        (b"HLF1", "sorted"),
        (b"nope", "not encoded"),
        (leaf(file("a", piece()))[:-1], "cut off"),
        (leaf(file("a", piece())) + b"\0", "cannot be read"),
        (leaf(file("b", piece()), file("a", piece())), "sorted"),
        (leaf(file("a", piece()), file("a", piece())), "sorted"),
        (leaf(file("a", piece(3), size=4)), "make up"),
        (leaf(file("", piece())), "cut off"),
        (leaf(file("a" * 1025, piece())), "cut off"),
        (leaf(shared(size=10)), "does not lie in"),
        (leaf(shared(offset=7)), "does not lie in"),
        (leaf(shared(offset=2**32 - 1)), "does not lie in"),
        (leaf(shared(size=0)), "does not lie in"),
        (leaf(shared("a", MAX_SHARED_BYTES + 1, 0, piece(MAX_CLUSTER_BYTES))), "does not lie in"),
        (leaf(shared("a", 3, 0, piece(MAX_CLUSTER_BYTES + 1))), "something else"),
        (leaf(shared("a", 3, 0, Ref(Kind.TREE, NAME, 9))), "something else"),
        (leaf(shared("a", 3, 0, piece(), piece())), "something else"),
        (leaf(shared())[:-1], "cannot be read"),
        (leaf(file("a", Ref(Kind.LEAF, NAME, 1))), "impossible size"),
        (leaf(file("a", Ref(Kind.ROOT, NAME, 1))), "impossible size"),
        (leaf(file("a", piece(0))), "impossible size"),
        (leaf(file("a", piece(MAX_PIECE_BYTES + 1))), "impossible size"),
        (leaf(file("a", Ref(Kind.TREE, NAME, 2**63))), "impossible size"),
        (b"HLF1" + struct.pack("<HQ32sBI", 1, 0, NAME, 9, 0) + b"a", "cannot be read"),
        (b"HLF1" + struct.pack("<HQ32sBI", 1, 0, NAME, 0, 0) + b"\xff", "cannot be read"),
        (b"HLF1" + struct.pack("<HQ32sBI", 1, 0, NAME, 0, 2**32 - 1) + b"a", "cut off"),
    ],
)
def test_what_is_no_leaf_is_refused(raw: bytes, about: str) -> None:
    with pytest.raises(ObjectError, match=about):
        decode_leaf(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HRT1",
        encode_root(Root(1, 1, ())),
        encode_root(Root(1, 1, (Ref(Kind.LEAF, NAME, 1),)))[:-1],
        encode_root(Root(2**63, 1, (Ref(Kind.LEAF, NAME, 1),))),
        encode_root(Root(1, 0, (Ref(Kind.LEAF, NAME, 1),))),
        encode_root(Root(1, MAX_FILES + 1, (Ref(Kind.LEAF, NAME, 1),))),
    ],
    ids=["empty", "a magic", "no leaf", "cut off", "too large", "no file", "too many files"],
)
def test_what_is_no_root_is_refused(raw: bytes) -> None:
    with pytest.raises(ObjectError):
        decode_root(raw)
