"""Messages through a pipe: the length in 8 bytes, then that many."""

import struct
from collections.abc import Sequence
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


def write_messages(stream: BinaryIO, messages: Sequence[bytes]) -> None:
    """Send how many there are, and each. Raises BrokenPipeError when the other side is gone."""
    write_message(stream, b"%d" % len(messages))
    for message in messages:
        write_message(stream, message)


def read_messages(stream: BinaryIO) -> list[bytes] | None:
    """Receive them; None when the other side is gone."""
    count = read_message(stream)
    found = [] if count is None else [read_message(stream) for _ in range(int(count))]
    whole = [each for each in found if each is not None]
    return whole if count is not None and len(whole) == len(found) else None


def _read(stream: BinaryIO, length: int) -> bytes | None:
    found = bytearray()
    while len(found) < length:
        part = stream.read(min(length - len(found), 1 << 20))
        if not part:
            return None
        found += part
    return bytes(found)
