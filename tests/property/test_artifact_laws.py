"""Laws of the artifact store's formats: whatever comes in, they answer or raise ObjectError."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hansard.formats.codec import Codec, decode, encode
from hansard.formats.cutting import content_sizes, gather
from hansard.formats.objects import (
    MAX_CLUSTER_BYTES,
    MAX_SHARED_BYTES,
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
    encode_tree,
    name_of,
)
from hansard.formats.packs import (
    TRAILER_BYTES,
    Frame,
    build_pack,
    footer_range,
    read_footer,
    read_frames,
    scan,
)
from hansard.formats.paths import check_paths
from hansard.formats.problems import BundleError

NAMES = st.binary(min_size=32, max_size=32)
PIECES = st.builds(Ref, st.just(Kind.PIECE), NAMES, st.integers(1, 4 << 20))
TREES = st.builds(Ref, st.just(Kind.TREE), NAMES, st.integers(1, 16 << 30))
PATHS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


CUTS = st.sampled_from([Cut.FIXED, Cut.CONTENT, Cut.TENSORS])
CLUSTERS = st.builds(Ref, st.just(Kind.PIECE), NAMES, st.integers(1, MAX_CLUSTER_BYTES))


@st.composite
def sharing(draw: st.DrawFn, path: str) -> File:
    piece = draw(CLUSTERS)
    size = draw(st.integers(1, min(piece.size, MAX_SHARED_BYTES)))
    offset = draw(st.integers(0, piece.size - size))
    return File(path, size, Cut.SHARED, (piece,), offset, draw(NAMES))


@st.composite
def alone(draw: st.DrawFn, path: str) -> File:
    body = tuple(draw(st.lists(PIECES | TREES, max_size=4)))
    return File(path, sum(part.size for part in body), draw(CUTS), body)


@st.composite
def leaves(draw: st.DrawFn) -> tuple[File, ...]:
    paths = sorted(draw(st.sets(PATHS, min_size=1, max_size=6)), key=str.encode)
    return tuple(draw(sharing(path) | alone(path)) for path in paths)


@given(leaves())
def test_leaves_come_back_as_they_were(files: tuple[File, ...]) -> None:
    assert decode_leaf(encode_leaf([encode_file(file) for file in files])) == files


@given(st.lists(PIECES, min_size=1, max_size=50))
def test_trees_come_back_as_they_were(pieces: list[Ref]) -> None:
    assert decode_tree(encode_tree(pieces)) == tuple(pieces)


@given(st.integers(0, 5 << 40), st.integers(1, 10**6), st.lists(NAMES, min_size=1, max_size=9))
def test_roots_come_back_as_they_were(size: int, files: int, names: list[bytes]) -> None:
    root = Root(size, files, tuple(Ref(Kind.LEAF, name, 9) for name in names))
    assert decode_root(encode_root(root)) == root


MAGICS = st.sampled_from([b"", b"HTR1", b"HLF1", b"HRT1", b"HPK1"])
DECODERS: list[Callable[[bytes], object]] = [
    *(lambda raw, kind=kind: children(kind, raw) for kind in Kind),
    lambda raw: [frame.content() for frame in read_frames(raw)],
    lambda raw: footer_range(raw[-TRAILER_BYTES:], len(raw)),
    lambda raw: read_footer(raw[:-TRAILER_BYTES], raw[-TRAILER_BYTES:]),
    lambda raw: read_footer(raw, raw),
    lambda raw: list(scan(raw)),
]


@given(MAGICS, st.binary(max_size=300))
def test_no_bytes_break_a_decoder(magic: bytes, rest: bytes) -> None:
    for decoder in DECODERS:
        with suppress(ObjectError):
            decoder(magic + rest)


@given(leaves(), st.data())
def test_a_damaged_leaf_is_refused_or_reads_as_another(
    files: tuple[File, ...], data: st.DataObject
) -> None:
    raw = bytearray(encode_leaf([encode_file(file) for file in files]))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with suppress(ObjectError):
        assert decode_leaf(bytes(raw)) != files


@settings(max_examples=300)
@given(st.integers(0, 4), st.integers(0, 5000), st.binary(max_size=400))
def test_no_payload_breaks_the_codec(codec: int, size: int, payload: bytes) -> None:
    with suppress(ObjectError):
        assert len(decode(codec, payload, size)) == size


@given(
    st.sampled_from([2, 4, 8]),
    st.integers(0, 1),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.binary(max_size=40)), max_size=9),
    st.integers(0, 64),
    st.integers(-3, 3),
)
def test_no_planes_break_the_codec(
    width: int, rotated: int, parts: list[tuple[int, int, bytes]], size: int, off: int
) -> None:
    heads = b"".join(
        bytes((octets, codec)) + max(0, len(part) + off).to_bytes(4, "little")
        for octets, codec, part in parts
    )
    payload = bytes((width, rotated, len(parts))) + heads + b"".join(part for _, _, part in parts)
    with suppress(ObjectError):
        assert len(decode(Codec.PLANES, payload, size)) == size


CONTENT = st.binary(max_size=3000) | st.builds(
    lambda unit, times: unit * times, st.binary(min_size=1, max_size=16), st.integers(1, 2000)
)


@given(CONTENT, st.sampled_from([1, 2, 4, 8]), st.booleans())
def test_content_comes_back_whatever_its_width(raw: bytes, width: int, rotated: bool) -> None:
    codec, payload = encode(raw, width, rotated=rotated)
    assert bytes(decode(codec, payload, len(raw))) == raw


@given(CONTENT.filter(len), st.sampled_from([1, 2, 4]), st.data())
def test_a_damaged_frame_is_noticed(raw: bytes, width: int, data: st.DataObject) -> None:
    codec, payload = encode(raw, width, rotated=True)
    frame = Frame(name_of(Kind.PIECE, raw), Kind.PIECE, codec, len(raw), payload)
    sent = bytearray(frame.header + bytes(payload))
    at = data.draw(st.integers(0, len(sent) - 1))
    sent[at] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(ObjectError):
        found = [(each.kind, each.name, bytes(each.content())) for each in read_frames(sent)]
        assert found == [(frame.kind, frame.name, raw)]  # a bit that no decoder looks at


@given(st.lists(CONTENT, min_size=1, max_size=6, unique=True))
def test_a_pack_tells_twice_what_lies_in_it(contents: list[bytes]) -> None:
    frames = []
    for raw in contents:
        codec, payload = encode(raw)
        frames.append(Frame(name_of(Kind.PIECE, raw), Kind.PIECE, codec, len(raw), payload))
    _, parts, entries = build_pack(frames)
    pack = b"".join(bytes(part) for part in parts)
    offset, length = footer_range(pack[-TRAILER_BYTES:], len(pack))
    told = read_footer(pack[offset : offset + length], pack[-TRAILER_BYTES:])
    assert told == entries == list(scan(pack))
    places = [pack[entry.offset : entry.offset + entry.stored] for entry in told]
    assert places == [bytes(frame.payload) for frame in frames]


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=64), st.integers(1, 40_000))
def test_cuts_tile_the_content(unit: bytes, times: int) -> None:
    view = memoryview(unit * times)
    sizes = content_sizes(view, last=True)
    assert sum(sizes) == len(view)
    assert all(0 < size <= 256 << 10 for size in sizes)
    assert content_sizes(view, last=False) == sizes[:-1]


@given(st.lists(PATHS, max_size=5))
def test_no_path_breaks_the_check(paths: list[str]) -> None:
    with suppress(BundleError):
        check_paths(paths)
        assert len({path.casefold() for path in paths}) == len(paths)
        assert not any(path.startswith("/") or ".." in path.split("/") for path in paths)


@pytest.mark.parametrize("text", ["\ud800", "a/\udfff", "\U0010ffff", "\ue000"])
def test_text_that_is_no_text_is_refused_or_kept(text: str) -> None:
    with suppress(BundleError):
        check_paths([text])
        assert text.encode()


def test_gathering_nothing_is_nothing() -> None:
    assert gather(Cut.FIXED, [], []) == ((), [])
