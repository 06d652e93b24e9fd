"""Elements taken apart into planes of bytes, from the most significant one down.

The bytes of floats hardly compress but for their exponents; fp32 and bf16 are first rotated by one
bit, which puts the whole exponent into one byte. Each plane is compressed alone, or kept where
that gains nothing.

    planes := width u8, rotated u8, count u8, count x (bytes u8, codec u8, length u32), payloads
"""

import struct
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import zstandard

from hansard.formats.codec import LEAST_GAIN, Buffer, Codec, decode
from hansard.formats.objects import ObjectError

_BLOCK = 1 << 16  # elements worked on at once: they stay in the processor's cache
_HEAD = struct.Struct("<BBB")
_PLANE = struct.Struct("<BBI")
_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_local = threading.local()
_Array = np.ndarray[Any, np.dtype[Any]]

# Exponents repeat, but not in sequences: the match finder is kept small, entropy does the work.
_ENTROPY = {
    "strategy": zstandard.STRATEGY_FAST,
    "min_match": 7,
    "window_log": 10,
    "hash_log": 6,
    "chain_log": 6,
    "search_log": 1,
    "target_length": 0,
}


def encode_planes(raw: Buffer, width: int, *, rotated: bool) -> bytes:
    """The elements of `width` bytes as planes."""
    elements = np.frombuffer(raw, _UNSIGNED[width])
    if rotated:
        elements = (elements << _of(elements, 1)) | (elements >> _of(elements, 8 * width - 1))
    octets = elements.view(np.uint8).reshape(-1, width)
    planes = [_encode_plane(octets[:, at].tobytes()) for at in range(width - 1, -1, -1)]
    parts = [(1, codec, payload) for codec, payload in planes]
    if width == 4 and all(codec is Codec.RAW for codec, _ in planes[2:]):
        parts[2:] = [(2, Codec.RAW, elements.astype(np.uint16).tobytes())]
    head = [_HEAD.pack(width, rotated, len(parts))]
    head += [_PLANE.pack(octet, codec, len(payload)) for octet, codec, payload in parts]
    return b"".join((*head, *(payload for _, _, payload in parts)))


def _encode_plane(plane: bytes) -> tuple[Codec, bytes]:
    payload = _entropy_coder().compress(plane)
    return (Codec.ZSTD, payload) if len(payload) < LEAST_GAIN * len(plane) else (Codec.RAW, plane)


def decode_planes(payload: memoryview, raw_bytes: int) -> Buffer:
    """The elements again. Raises ObjectError for a payload that is not of `raw_bytes`."""
    try:
        width, rotated, count = _HEAD.unpack_from(payload)
    except struct.error:
        raise ObjectError("a payload of planes is cut off") from None
    unsigned = _UNSIGNED.get(width)
    if unsigned is None or width == 1 or rotated > 1 or raw_bytes % width:
        raise ObjectError("a payload of planes has an impossible width")
    planes = list(_planes(payload, width, count, raw_bytes // width))
    found = np.empty(raw_bytes // width, unsigned)
    for at in range(0, len(found), _BLOCK):
        block = slice(at, at + _BLOCK)
        _join([plane[block] for plane in planes], found[block], rotated)
    return found.view(np.uint8).data


def _planes(payload: memoryview, width: int, count: int, elements: int) -> Iterator[_Array]:
    """Each plane; none is decoded before all together are known to make up an element."""
    at = _HEAD.size + count * _PLANE.size
    if at > len(payload):
        raise ObjectError("a payload of planes is cut off")
    heads = list(_PLANE.iter_unpack(payload[_HEAD.size : at]))
    if sum(octets for octets, _, _ in heads) != width:
        raise ObjectError("the planes do not make up an element")
    for octets, codec, length in heads:
        if octets not in (1, 2) or codec not in (Codec.RAW, Codec.ZSTD):
            raise ObjectError("a plane is of an unknown kind")
        plane = decode(codec, payload[at : at + length], elements * octets)
        yield np.frombuffer(plane, _UNSIGNED[octets])
        at += length
    if at != len(payload):
        raise ObjectError("a payload of planes has not the length it says")


def _join(planes: list[_Array], out: _Array, rotated: int) -> None:
    joined = planes[0].astype(out.dtype)
    for plane in planes[1:]:
        joined <<= _of(out, 8 * plane.itemsize)
        joined |= plane
    if rotated:
        last = joined << _of(out, 8 * out.itemsize - 1)
        joined >>= _of(out, 1)
        joined |= last
    out[:] = joined


def _of(array: _Array, number: int) -> Any:
    """A number of the array's own type: a Python one could widen the result."""
    found: np.generic = array.dtype.type(number)
    return found


def _entropy_coder() -> zstandard.ZstdCompressor:
    if not hasattr(_local, "entropy"):
        parameters = zstandard.ZstdCompressionParameters(**_ENTROPY)
        _local.entropy = zstandard.ZstdCompressor(compression_params=parameters)
    found: zstandard.ZstdCompressor = _local.entropy
    return found
