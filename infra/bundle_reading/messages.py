"""Messages through a pipe: the length in 8 bytes, then that many."""

import struct
from typing import BinaryIO

_LENGTH = struct.Struct(">Q")
MAX_BYTES = 1 << 30


def write_message(stream: BinaryIO, data: bytes) -> None:
    """Send one. Raises BrokenPipeError when the other side is gone."""
    for part in (_LENGTH.pack(len(data)), data):
        rest = memoryview(part)
        while rest:
            rest = rest[stream.write(rest) :]


def read_message(stream: BinaryIO) -> bytes | None:
    """Receive one; None when the other side is gone. Raises ValueError for one too long."""
    head = _read(stream, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > MAX_BYTES:
        raise ValueError(f"a message of {length} bytes")
    return _read(stream, length)


def _read(stream: BinaryIO, length: int) -> bytes | None:
    found = bytearray()
    while len(found) < length:
        part = stream.read(min(length - len(found), 1 << 20))
        if not part:
            return None
        found += part
    return bytes(found)
