"""Images: the head is what the format says, and the end is where it should be."""

from typing import Literal
from zlib import crc32

from infra.artifacts.inspection.source import Refused, Source

_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})
_GIF_BLOCKS = (b"!", b",", b";")
_TIFF_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II": "little", b"MM": "big"}
_JPEG_SCAN = 0xDA
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})


def png(source: Source) -> str:
    """Raises Refused unless the header is whole and nothing follows the last chunk."""
    head = source.head
    header = head[12:29]
    whole = head[8:12] == b"\0\0\0\x0d" and header[:4] == b"IHDR" and len(head) >= 33
    if not whole or crc32(header) != int.from_bytes(head[29:33], "big"):
        raise _damaged("png")
    if source.seekable and source.read(source.size - 12, 12) != _PNG_END:
        raise Refused(
            "something follows the PNG image, or its end is missing: save it again", "png"
        )
    return "png"


def jpeg(source: Source) -> str:
    """Raises Refused unless the segments follow each other up to the picture."""
    head, at = source.head, 2
    while at + 4 <= len(head):
        if head[at] != 0xFF:
            raise _damaged("jpeg")
        marker = head[at + 1]
        if marker == _JPEG_SCAN:
            return "jpeg"
        if marker == 0xFF or marker in _JPEG_ALONE:  # filling, or a marker without a segment
            at += 1 if marker == 0xFF else 2
            continue
        at += 2 + max(2, int.from_bytes(head[at + 2 : at + 4], "big"))
    if source.is_whole:
        raise _damaged("jpeg")
    return "jpeg"


def gif(source: Source) -> str:
    """Raises Refused unless a block follows the screen and its colours."""
    head = source.head
    colours = head[10] if len(head) > 13 else 0
    first = 13 + (3 << ((colours & 7) + 1) if colours & 0x80 else 0)
    if (
        head[4:5] not in (b"7", b"9")
        or head[5:6] != b"a"
        or head[first : first + 1] not in _GIF_BLOCKS
    ):
        raise _damaged("gif")
    return "gif"


def webp(source: Source) -> str:
    """Raises Refused unless the length is that of the file."""
    stated = 8 + int.from_bytes(source.head[4:8], "little")
    if source.head[12:15] != b"VP8" or source.size not in (stated, stated + stated % 2):
        raise _damaged("webp")
    return "webp"


def bmp(source: Source) -> str:
    """Raises Refused unless the length is that of the file."""
    head = source.head
    stated, pixels = _little(head[2:6]), _little(head[10:14])
    known = _little(head[14:18]) in _BMP_HEADERS
    if not known or stated not in (0, source.size) or not 26 <= pixels <= source.size:
        raise _damaged("bmp")
    return "bmp"


def tiff(source: Source) -> str:
    """Raises Refused unless the first directory is in the file and in order."""
    head = source.head
    order = _TIFF_ORDERS[head[:2]]
    big = head[2:4] in (b"\x2b\0", b"\0\x2b")
    at, wide = (
        (int.from_bytes(head[8:16], order), 8) if big else (int.from_bytes(head[4:8], order), 2)
    )
    count = int.from_bytes(source.read(at, wide), order)
    size = 20 if big else 12
    if at < 8 or not 0 < count <= 4096 or at + wide + count * size > source.size:
        raise _damaged("tiff")
    entries = source.read(at + wide, count * size)
    tags = [int.from_bytes(entries[i : i + 2], order) for i in range(0, len(entries), size)]
    if tags != sorted(tags):
        raise _damaged("tiff")
    return "tiff"


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _damaged(format_: str) -> Refused:
    return Refused(
        f"it begins like a {format_} image and is not a whole one: save it again", format_
    )
