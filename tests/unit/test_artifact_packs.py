"""Packs: frames behind one another, a footer that tells where, and what is left of damaged ones."""

import struct

import pytest

from hansard.formats.codec import Codec, encode
from hansard.formats.objects import MAX_OBJECT_BYTES, Kind, ObjectError, Ref, encode_tree, name_of
from hansard.formats.packs import (
    FRAME,
    TRAILER_BYTES,
    Entry,
    Frame,
    build_pack,
    footer_range,
    read_footer,
    read_frames,
    scan,
)


def frame(raw: bytes, kind: Kind = Kind.PIECE) -> Frame:
    codec, payload = encode(raw)
    return Frame(name_of(kind, raw), kind, codec, len(raw), payload)


FRAMES = [
    frame(b"a" * 5000),
    frame(b"short"),
    frame(b""),
    frame(encode_tree([Ref(Kind.PIECE, b"n" * 32, 9)]), Kind.TREE),
]


def body(frames: list[Frame]) -> bytes:
    return b"".join(each.header + bytes(each.payload) for each in frames)


def packed() -> tuple[bytes, list[Entry]]:
    _, parts, entries = build_pack(FRAMES)
    return b"".join(bytes(part) for part in parts), entries


def opened(pack: bytes) -> list[Entry]:
    trailer = pack[-TRAILER_BYTES:]
    offset, length = footer_range(trailer, len(pack))
    return read_footer(pack[offset : offset + length], trailer)


def test_frames_come_back_with_their_content() -> None:
    found = list(read_frames(body(FRAMES)))
    assert [each.header for each in found] == [each.header for each in FRAMES]
    assert [bytes(each.content()) for each in found][:3] == [b"a" * 5000, b"short", b""]


def test_a_footer_tells_where_payloads_lie() -> None:
    pack, entries = packed()
    assert opened(pack) == entries
    for entry, each in zip(entries, FRAMES, strict=True):
        assert pack[entry.offset : entry.offset + entry.stored] == bytes(each.payload)
        assert pack[entry.offset - FRAME.size : entry.offset] == each.header


def test_a_scan_finds_what_the_footer_says() -> None:
    pack, entries = packed()
    offset, _ = footer_range(pack[-TRAILER_BYTES:], len(pack))
    assert list(scan(pack[:offset])) == entries


@pytest.mark.parametrize("lost", [1, 60, 5000])
def test_a_scan_finds_the_whole_frames_of_a_pack_that_is_cut_off(lost: int) -> None:
    pack, entries = packed()
    offset, _ = footer_range(pack[-TRAILER_BYTES:], len(pack))
    found = list(scan(pack[: offset - lost]))
    assert found == entries[: len(found)]
    assert all(entry.offset + entry.stored <= offset - lost for entry in found)
    assert len(found) < len(entries)


@pytest.mark.parametrize("lost", [0, 1, TRAILER_BYTES, TRAILER_BYTES + 3])
def test_a_scan_takes_no_footer_for_objects(lost: int) -> None:
    pack, entries = packed()
    assert list(scan(pack[: len(pack) - lost])) == entries


def test_any_flipped_bit_of_a_footer_is_noticed() -> None:
    pack, _ = packed()
    offset, _ = footer_range(pack[-TRAILER_BYTES:], len(pack))
    for at in range(offset, len(pack)):
        broken = bytearray(pack)
        broken[at] ^= 1
        with pytest.raises(ObjectError):
            opened(bytes(broken))


def test_a_pack_that_is_cut_off_anywhere_is_noticed() -> None:
    pack, _ = packed()
    for length in range(len(pack)):
        with pytest.raises(ObjectError):
            opened(pack[:length])


def test_a_footer_that_is_no_footer_is_refused() -> None:
    trailer = packed()[0][-TRAILER_BYTES:]
    for footer in (b"", b"x", b"\xff" * 50, bytes(100)):
        with pytest.raises(ObjectError):
            read_footer(footer, trailer)
    with pytest.raises(ObjectError):
        read_footer(b"", b"short")


def test_a_pack_is_named_by_what_lies_in_it() -> None:
    assert build_pack(FRAMES)[0] == build_pack(list(FRAMES))[0]
    assert build_pack(FRAMES)[0] != build_pack(FRAMES[::-1])[0]
    assert build_pack(FRAMES)[0] != build_pack(FRAMES[:-1])[0]


@pytest.mark.parametrize(
    "header",
    [
        FRAME.pack(b"n" * 32, 4, 0, 0, 0),
        FRAME.pack(b"n" * 32, 255, 0, 0, 0),
        FRAME.pack(b"n" * 32, 0, 0, MAX_OBJECT_BYTES + 1, 0),
        FRAME.pack(b"n" * 32, 0, 0, 0, MAX_OBJECT_BYTES + 1) + bytes(MAX_OBJECT_BYTES + 1),
        FRAME.pack(b"n" * 32, 0, 0, 1, 1),
        FRAME.pack(b"n" * 32, 0, 0, 1, 2**32 - 1) + b"x",
        FRAME.pack(b"n" * 32, 0, 0, 0, 0)[:-1],
    ],
    ids=["kind 4", "kind 255", "raw", "stored", "cut off", "4 GiB", "half a header"],
)
def test_a_frame_that_cannot_be_is_refused(header: bytes) -> None:
    with pytest.raises(ObjectError):
        list(read_frames(header))


def test_a_frame_is_its_content_or_nothing() -> None:
    good = frame(b"some content " * 20)
    assert good.codec == Codec.ZSTD
    lies = [
        Frame(good.name, Kind.TREE, good.codec, good.raw, good.payload),
        Frame(bytes(32), good.kind, good.codec, good.raw, good.payload),
        Frame(good.name, good.kind, Codec.RAW, good.raw, good.payload),
        Frame(good.name, good.kind, 7, good.raw, good.payload),
        Frame(good.name, good.kind, good.codec, good.raw - 1, good.payload),
        Frame(good.name, good.kind, good.codec, good.raw + 1, good.payload),
        Frame(good.name, good.kind, good.codec, good.raw, bytes(good.payload)[:-1]),
        Frame(good.name, good.kind, Codec.RAW, good.raw, b"x" * good.raw),
    ]
    for lie in lies:
        with pytest.raises(ObjectError):
            lie.content()


def test_the_form_of_a_frame_is_the_documented_one() -> None:
    header = struct.pack("<32sBBII", name_of(Kind.PIECE, b"short"), 0, 0, 5, 5)
    assert FRAMES[1].header == header
    assert packed()[0][:4] == b"HPK1"
    assert packed()[0][-4:] == b"1KPH"
