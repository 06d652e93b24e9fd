"""PNG without an imaging library: 8-bit grey, RGB and RGBA, the same bytes for the same pixels.

Also the sizes that PNG and JPEG files state of themselves.
"""

import struct
import zlib
from importlib import import_module
from typing import Any

PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8\xff"
MAX_PIXELS = 2**28

_LEVEL = 4  # 6 takes twice the time for a few percent
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
_CHANNELS = {colour: channels for channels, colour in _COLOUR_TYPES.items()}
_IHDR = struct.Struct(">IIBBBBB")
_NONE, _SUB, _UP = range(3)
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class NotOurs(ValueError):
    """A PNG file of a form that this module does not write."""


def encode(pixels: Any) -> bytes:
    """The PNG file of a uint8 array of shape (height, width, 1, 3 or 4), at least one pixel."""
    height, width, channels = pixels.shape
    header = _IHDR.pack(width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    packed = zlib.compress(_filtered(pixels).tobytes(), _LEVEL)
    parts = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return PNG_START + b"".join(_chunk(kind, data) for kind, data in parts)


def decode(data: bytes) -> Any:
    """The uint8 array in a file of `encode`: (height, width) if grey, else (height, width, 3 or 4).

    Raises ValueError for what is no whole PNG file, `NotOurs` for one of another form.
    """
    chunks = _chunks(data)
    width, height = png_size(data)
    _, _, depth, colour, *rest = _IHDR.unpack(chunks[b"IHDR"])
    if depth != 8 or colour not in _CHANNELS or any(rest):
        raise NotOurs("the PNG has another form than 8-bit grey, RGB or RGBA")
    channels = _CHANNELS[colour]
    raw = _inflated(chunks.get(b"IDAT", b""), height * (1 + width * channels))
    pixels = _unfiltered(raw, height, width, channels)
    return pixels[:, :, 0] if channels == 1 else pixels


def png_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels. Raises ValueError if this is no PNG of reasonable size."""
    if not data.startswith(PNG_START) or data[12:16] != b"IHDR" or len(data) < 33:
        raise ValueError("the data is no PNG image")
    return _checked(*struct.unpack_from(">II", data, 16))


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels. Raises ValueError if this is no JPEG of reasonable size."""
    at = 2
    while data.startswith(JPEG_START) and at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return _checked(width, height)
        at += 1 if marker == 0xFF else 2 + length
    raise ValueError("the data is no JPEG image")


def _checked(width: int, height: int) -> tuple[int, int]:
    if not 0 < width * height <= MAX_PIXELS:
        raise ValueError(f"an image has 1 to {MAX_PIXELS:,} pixels, not {width:,} x {height:,}")
    return width, height


def _filtered(pixels: Any) -> Any:
    """The rows with their filter bytes, each by the filter that leaves the smallest differences."""
    numpy = import_module("numpy")
    height, width, channels = pixels.shape
    above = numpy.zeros_like(pixels)
    above[1:] = pixels[:-1]
    left = numpy.zeros_like(pixels)
    left[:, 1:] = pixels[:, :-1]
    rows = numpy.stack(
        [each.reshape(height, -1) for each in (pixels, pixels - left, pixels - above)]
    )
    sizes = numpy.minimum(rows, -rows).sum(axis=2, dtype="uint64")
    chosen = sizes.argmin(axis=0)
    filtered = numpy.empty((height, 1 + width * channels), dtype="uint8")
    filtered[:, 0] = chosen
    filtered[:, 1:] = rows[chosen, numpy.arange(height)]
    return filtered


def _unfiltered(raw: bytes, height: int, width: int, channels: int) -> Any:
    numpy = import_module("numpy")
    rows = numpy.frombuffer(raw, dtype="uint8").reshape(height, -1)
    if rows[:, 0].max() > _UP:
        raise NotOurs("the PNG has filters that this module does not write")
    pixels = rows[:, 1:].reshape(height, width, channels).copy()
    for number, kind in enumerate(rows[:, 0].tolist()):
        if kind == _SUB:
            numpy.cumsum(pixels[number], axis=0, dtype="uint8", out=pixels[number])
        elif kind == _UP and number:
            pixels[number] += pixels[number - 1]
    return pixels


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks by kind, those of one kind joined. Raises ValueError if the file is damaged."""
    if not data.startswith(PNG_START):
        raise ValueError("the data is no PNG image")
    found: dict[bytes, list[bytes]] = {}
    at = len(PNG_START)
    while b"IEND" not in found:
        if at + 12 > len(data):
            raise ValueError("the PNG image ends early")
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        if data[at : at + 12 + length] != _chunk(kind, body):
            raise ValueError("the PNG image is damaged")
        found.setdefault(kind, []).append(body)
        at += 12 + length
    header = found.get(b"IHDR", [])
    if len(header) != 1 or len(header[0]) != _IHDR.size:
        raise ValueError("the PNG image has no header")
    return {kind: b"".join(bodies) for kind, bodies in found.items()}


def _inflated(packed: bytes, size: int) -> bytes:
    """Exactly ``size`` bytes: more is not even unpacked."""
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(packed, size)
        whole = unpacker.decompress(unpacker.unconsumed_tail, 1) == b"" and unpacker.eof
    except zlib.error:
        raise ValueError("the PNG image is damaged") from None
    if len(raw) != size or not whole:
        raise ValueError("the PNG image has another size than it states")
    return raw
