"""Packs: many objects in one immutable file, on the wire and on disk.

    frame := name 32, kind u8, codec u8, raw length u32, stored length u32, payload
    pack  := "HPK1", frames, footer, trailer
    footer := for each frame: name 32, kind u8, codec u8, raw u32, stored u32, payload offset u64
    trailer := footer offset u64, frames u32, BLAKE3 of the footer 32, "1KPH"

A request or an answer is frames alone. The footer is an index that can be rebuilt from the frames.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from blake3 import blake3

from hansard.formats.codec import Buffer, decode
from hansard.formats.objects import MAX_OBJECT_BYTES, NAME_BYTES, Kind, ObjectError, name_of

MAX_PACK_BYTES = 32 << 20
"""Of frames in one request; an object that is larger than the rest of it comes alone."""

FRAME = struct.Struct("<32sBBII")
_ENTRY = struct.Struct("<32sBBIIQ")
_TRAILER = struct.Struct("<QI32s4s")
_MAGIC, _END = b"HPK1", b"1KPH"


class Frame(NamedTuple):
    """One object as it is stored."""

    name: bytes
    kind: Kind
    codec: int
    raw: int
    payload: Buffer

    @property
    def header(self) -> bytes:
        """What stands in front of the payload."""
        return FRAME.pack(self.name, self.kind, self.codec, self.raw, len(self.payload))

    def content(self) -> Buffer:
        """The raw content, checked against the name. Raises ObjectError."""
        raw = decode(self.codec, self.payload, self.raw)
        if name_of(self.kind, raw) != self.name:
            raise ObjectError(f"the object {self.name.hex()} does not have its content")
        return raw


class Entry(NamedTuple):
    """Where an object lies in a pack: `offset` and `stored` are of its payload."""

    name: bytes
    kind: Kind
    codec: int
    raw: int
    stored: int
    offset: int


def read_frames(data: Buffer) -> Iterator[Frame]:
    """The frames of a body, one behind the other. Raises ObjectError where they are not."""
    view, at = memoryview(data), 0
    while at < len(view):
        name, kind, codec, raw, stored = _header(view, at)
        at += FRAME.size
        yield Frame(name, kind, codec, raw, view[at : at + stored])
        at += stored


def _header(view: memoryview, at: int) -> tuple[bytes, Kind, int, int, int]:
    try:
        name, kind, codec, raw, stored = FRAME.unpack_from(view, at)
        known = Kind(kind)
    except (struct.error, ValueError):
        raise ObjectError("a frame is cut off or of an unknown kind") from None
    if max(raw, stored) > MAX_OBJECT_BYTES or at + FRAME.size + stored > len(view):
        raise ObjectError("a frame is longer than what was sent, or than an object may be")
    return name, known, codec, raw, stored


def build_pack(frames: Sequence[Frame]) -> tuple[str, list[Buffer], list[Entry]]:
    """A pack: its id in hex, the parts of its content in order, and where each frame lies."""
    parts: list[Buffer] = [_MAGIC]
    entries, at = [], len(_MAGIC)
    for frame in frames:
        at += FRAME.size
        stored = len(frame.payload)
        entries.append(Entry(frame.name, frame.kind, frame.codec, frame.raw, stored, at))
        parts += (frame.header, frame.payload)
        at += stored
    footer = b"".join(
        _ENTRY.pack(e.name, e.kind, e.codec, e.raw, e.stored, e.offset) for e in entries
    )
    digest = blake3(footer).digest()
    parts += (footer, _TRAILER.pack(at, len(entries), digest, _END))
    return digest.hex(), parts, entries


TRAILER_BYTES = _TRAILER.size


def footer_range(trailer: bytes, pack_bytes: int) -> tuple[int, int]:
    """Offset and length of the footer, from the last TRAILER_BYTES. Raises ObjectError."""
    if len(trailer) != _TRAILER.size:
        raise ObjectError("the pack is cut off")
    offset, count, _, end = _TRAILER.unpack(trailer)
    length = count * _ENTRY.size
    if end != _END or offset + length + _TRAILER.size != pack_bytes:
        raise ObjectError("the pack is cut off, or its end is damaged")
    return offset, length


def read_footer(footer: bytes, trailer: bytes) -> list[Entry]:
    """Where the frames of a pack lie. Raises ObjectError for a damaged footer."""
    try:
        _, _, digest, _ = _TRAILER.unpack(trailer)
        entries = [
            Entry(name, Kind(kind), codec, raw, stored, offset)
            for name, kind, codec, raw, stored, offset in _ENTRY.iter_unpack(footer)
        ]
    except (struct.error, ValueError):
        raise ObjectError("the footer of the pack cannot be read") from None
    if blake3(footer).digest() != digest:
        raise ObjectError("the footer of the pack is damaged")
    return entries


def scan(data: Buffer) -> Iterator[Entry]:
    """The frames of a pack whose footer cannot be read, up to where they end."""
    view, at = memoryview(data), len(_MAGIC)
    first = bytes(view[at : at + NAME_BYTES])
    while at < len(view):
        try:
            name, kind, codec, raw, stored = _header(view, at)
        except ObjectError:
            return
        if name == first and at > len(_MAGIC):
            return  # a footer looks like frames, and begins with the name of the first one
        at += FRAME.size
        yield Entry(name, kind, codec, raw, stored, at)
        at += stored
