"""How the content of an object is stored: as it is, compressed, or split into byte planes.

A frame's lengths are known before it is decoded, and nothing may come out longer: a zstd frame
declares its size, and python-zstandard would allocate whatever it declares.
"""

import threading
from enum import IntEnum

import zstandard

from hansard.formats.objects import MAX_OBJECT_BYTES, ObjectError

Buffer = bytes | bytearray | memoryview


class Codec(IntEnum):
    """How a payload is stored."""

    RAW = 0
    ZSTD = 1
    PLANES = 2


LEAST_GAIN = 0.97
"""Of its size is what does not pay to be encoded."""

_local = threading.local()


def encode(raw: Buffer, width: int = 1, *, rotated: bool = False) -> tuple[Codec, Buffer]:
    """The content in the smallest form that pays, and which one it is.

    `width` is the bytes of an element (1, 2, 4, 8) as far as it is known; `rotated` suits floats
    whose exponent has eight bits.
    """
    if width > 1 and len(raw) % width == 0 and len(raw) >= 256 * width:
        from hansard.formats.planes import encode_planes  # noqa: PLC0415 - numpy is slow to load

        codec, payload = Codec.PLANES, encode_planes(raw, width, rotated=rotated)
    else:
        codec, payload = Codec.ZSTD, _compress(raw)
    if len(payload) < LEAST_GAIN * len(raw):
        return codec, payload
    return Codec.RAW, raw


def decode(codec: int, payload: Buffer, raw_bytes: int) -> Buffer:
    """The content of `raw_bytes` bytes. Raises ObjectError for a payload that is not of it."""
    if not 0 <= raw_bytes <= MAX_OBJECT_BYTES:
        raise ObjectError(f"an object has at most {MAX_OBJECT_BYTES} bytes")
    match codec:
        case Codec.RAW:
            if len(payload) != raw_bytes:
                raise ObjectError("a raw payload has not the length it says")
            return payload
        case Codec.ZSTD:
            return _decompress(payload, raw_bytes)
        case Codec.PLANES:
            from hansard.formats.planes import decode_planes  # noqa: PLC0415 - same

            return decode_planes(memoryview(payload), raw_bytes)
        case _:
            raise ObjectError(f"unknown codec {codec}")


def _compress(raw: Buffer) -> bytes:
    if not hasattr(_local, "compressor"):
        _local.compressor = zstandard.ZstdCompressor(level=3)
    return bytes(_local.compressor.compress(raw))


def _decompress(payload: Buffer, raw_bytes: int) -> bytes:
    if not hasattr(_local, "decompressor"):
        _local.decompressor = zstandard.ZstdDecompressor()
    try:
        if zstandard.frame_content_size(payload) != raw_bytes:
            raise ObjectError("a compressed payload says another length than its frame")
        raw: bytes = _local.decompressor.decompress(payload, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ObjectError(f"a compressed payload is damaged: {error}") from None
    if len(raw) != raw_bytes:
        raise ObjectError("a compressed payload has not the length it says")
    return raw
