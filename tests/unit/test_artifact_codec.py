"""How content is stored: every kind of element comes back bit for bit, and bombs do not go off."""

import random
import struct
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import zstandard

from hansard.formats.codec import Codec, decode, encode
from hansard.formats.objects import MAX_OBJECT_BYTES, ObjectError

HEAD = struct.Struct("<BBB")
PLANE = struct.Struct("<BBI")


def weights(dtype: type, count: int = 50_000) -> bytes:
    values = np.random.default_rng(4).normal(0, 0.02, count)
    return values.astype(dtype).tobytes()


def bfloat16(count: int = 50_000) -> bytes:
    wide = np.frombuffer(weights(np.float32, count), np.uint32)
    return (wide >> 16).astype(np.uint16).tobytes()


def special_floats() -> bytes:
    """NaNs with payloads, both signs, signalling ones, infinities, zeros and the smallest."""
    patterns = [0x7FC00000, 0xFFC00001, 0x7F800001, 0x7F800000, 0xFF800000, 0x80000000, 0, 1]
    return np.array(patterns * 1000, np.uint32).tobytes()


def planes(*parts: tuple[int, int, bytes], width: int = 2, rotated: int = 0) -> bytes:
    """A payload of planes, made by hand."""
    head = HEAD.pack(width, rotated, len(parts))
    heads = b"".join(PLANE.pack(octets, codec, len(p)) for octets, codec, p in parts)
    return head + heads + b"".join(payload for _, _, payload in parts)


@pytest.mark.parametrize("rotated", [False, True])
@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"x",
        b"abc" * 85,
        bytes(100_000),
        random.Random(1).randbytes(99_999),
        random.Random(1).randbytes(1 << 20),
        weights(np.float32),
        weights(np.float64),
        weights(np.float16),
        bfloat16(),
        special_floats(),
        np.arange(70_000, dtype=np.int64).tobytes(),
        weights(np.float32, 65_536 + 3),
    ],
    ids=lambda raw: str(len(raw)),
)
def test_content_comes_back_bit_for_bit(raw: bytes, width: int, rotated: bool) -> None:
    codec, payload = encode(raw, width, rotated=rotated)
    assert len(payload) <= len(raw)
    assert bytes(decode(codec, payload, len(raw))) == raw
    assert bytes(decode(codec, memoryview(bytearray(payload)), len(raw))) == raw


@pytest.mark.parametrize(
    ("raw", "width", "rotated", "most"),
    [
        (weights(np.float32), 4, True, 0.87),
        (bfloat16(), 2, True, 0.75),
        (weights(np.float16), 2, False, 0.95),
        (weights(np.float64), 8, False, 0.97),
    ],
    ids=["fp32", "bf16", "fp16", "fp64"],
)
def test_floats_become_smaller(raw: bytes, width: int, rotated: bool, most: float) -> None:
    codec, payload = encode(raw, width, rotated=rotated)
    assert codec is Codec.PLANES
    assert len(payload) < most * len(raw)


def test_what_does_not_become_smaller_is_kept_as_it_is() -> None:
    noise = random.Random(2).randbytes(1 << 16)
    assert encode(noise) == (Codec.RAW, noise)
    assert encode(noise, 4, rotated=True) == (Codec.RAW, noise)


def zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


def streamed(content: bytes) -> bytes:
    """A frame that does not say how long its content is."""
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(content) + compressor.flush()


SKIPPABLE = struct.pack("<II", 0x184D2A50, 3) + b"abc"

BAD: dict[str, tuple[int, bytes, int]] = {
    "unknown codec": (3, b"abc", 3),
    "a codec of 255": (255, b"", 0),
    "raw, too short": (Codec.RAW, b"ab", 3),
    "raw, too long": (Codec.RAW, b"abcd", 3),
    "negative": (Codec.RAW, b"", -1),
    "more than an object": (Codec.RAW, bytes(8), MAX_OBJECT_BYTES + 1),
    "zstd, no frame": (Codec.ZSTD, b"abc", 3),
    "zstd, nothing": (Codec.ZSTD, b"", 0),
    "zstd, longer": (Codec.ZSTD, zstd(b"abcd"), 3),
    "zstd, shorter": (Codec.ZSTD, zstd(b"ab"), 3),
    "zstd, cut off": (Codec.ZSTD, zstd(bytes(999))[:-1], 999),
    "zstd, two frames": (Codec.ZSTD, zstd(b"abc") * 2, 3),
    "zstd, extra data": (Codec.ZSTD, zstd(b"abc") + b"x", 3),
    "zstd, silent about its length": (Codec.ZSTD, streamed(b"abc"), 3),
    "zstd, silent and empty": (Codec.ZSTD, streamed(bytes(1 << 20)), 0),
    "zstd, a skippable frame": (Codec.ZSTD, SKIPPABLE, 0),
    "zstd, behind a skippable frame": (Codec.ZSTD, SKIPPABLE + zstd(b"abc"), 3),
    "planes, nothing": (Codec.PLANES, b"", 4),
    "planes, cut off": (Codec.PLANES, HEAD.pack(2, 0, 2) + b"\1", 4),
    "planes, no plane": (Codec.PLANES, planes(), 4),
    "planes, width 1": (Codec.PLANES, planes((1, 0, b"ab"), width=1), 2),
    "planes, width 3": (Codec.PLANES, planes((1, 0, b"ab"), width=3), 6),
    "planes, rotated twice": (Codec.PLANES, planes((2, 0, b"abcd"), rotated=2), 4),
    "planes, odd": (Codec.PLANES, planes((2, 0, b"abcd")), 5),
    "planes, one missing": (Codec.PLANES, planes((1, 0, b"ab")), 4),
    "planes, one too many": (Codec.PLANES, planes(*[(1, 0, b"ab")] * 3), 4),
    "planes, of four octets": (Codec.PLANES, planes((4, 0, b"abcdefgh"), width=4), 8),
    "planes, of no octets": (Codec.PLANES, planes((0, 0, b""), (2, 0, b"abcd")), 4),
    "planes within planes": (Codec.PLANES, planes((2, 2, planes((2, 0, b"abcd")))), 4),
    "planes, too short": (Codec.PLANES, planes((1, 0, b"ab"), (1, 0, b"c")), 4),
    "planes, extra data": (Codec.PLANES, planes((2, 0, b"abcd")) + b"x", 4),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_a_payload_that_lies_is_refused(case: tuple[int, bytes, int]) -> None:
    with pytest.raises(ObjectError):
        decode(*case)


def test_planes_of_nothing_are_nothing() -> None:
    assert bytes(decode(Codec.PLANES, planes((2, 0, b"")), 0)) == b""


def many_planes() -> bytes:
    """Each of 4 MiB once it is decoded, from less than a kilobyte."""
    return planes(*[(1, Codec.ZSTD, zstd(bytes(4 << 20)))] * 255)


@pytest.mark.parametrize(
    ("codec", "payload", "size"),
    [
        (Codec.ZSTD, lambda: zstd(bytes(1 << 30)), 4 << 20),
        (Codec.ZSTD, lambda: zstd(bytes(1 << 30)), 1 << 30),
        (Codec.ZSTD, lambda: streamed(bytes(1 << 28)), 4 << 20),
        (Codec.PLANES, lambda: planes((2, Codec.ZSTD, zstd(bytes(1 << 30)))), 4 << 20),
        (Codec.PLANES, many_planes, 8 << 20),
    ],
    ids=["declared", "declared and asked for", "streamed", "in a plane", "255 planes"],
)
def test_a_bomb_does_not_go_off(codec: int, payload: Callable[[], bytes], size: int) -> None:
    bomb = payload()
    tracemalloc.start()
    try:
        with pytest.raises(ObjectError):
            decode(codec, bomb, size)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
