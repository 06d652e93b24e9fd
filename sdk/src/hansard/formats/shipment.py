"""Frames as they are sent over HTTP: each behind its length, in order."""

import struct
from collections.abc import Iterable

from hansard.formats.frames import MAX_FRAME_BYTES, Frame, FrameError

MAX_SHIPMENT_BYTES = MAX_FRAME_BYTES + 1024 * 1024
"""Of one request."""
GOOD_SHIPMENT_BYTES = 512 * 1024
"""Frames are sent together up to this."""

_LENGTH = struct.Struct("<I")


def pack_frames(frames: Iterable[Frame]) -> bytes:
    """The body that carries these frames."""
    bodies = [frame.to_bytes() for frame in frames]
    return b"".join(_LENGTH.pack(len(body)) + body for body in bodies)


def unpack_frames(data: bytes) -> list[Frame]:
    """Raises FrameError unless the body is whole, and its numbers follow each other."""
    frames: list[Frame] = []
    at = 0
    while at < len(data):
        start = at + _LENGTH.size
        (size,) = _LENGTH.unpack_from(data, at) if start <= len(data) else (0,)
        if not 0 < size <= MAX_FRAME_BYTES or start + size > len(data):
            raise FrameError("the shipment is cut")
        frame = Frame.from_bytes(data[start : start + size])
        if frames and frame.seq != frames[-1].seq + 1:
            raise FrameError("the numbers of frames have a gap")
        frames.append(frame)
        at = start + size
    return frames
