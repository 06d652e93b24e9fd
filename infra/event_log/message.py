"""One stored message of the log, as read back from the broker."""

from dataclasses import dataclass
from typing import NamedTuple

TOPIC_HEADER = "T"
APPEND_HEADER = "U"  # id of the append call: tells our own lost acknowledgement from a conflict
HASH_HEADER = "H"


@dataclass(slots=True)
class LogMessage:
    """A message at its position; what its publisher did not say is empty."""

    position: int
    subject: str
    topic: str
    hash: str
    append: str
    payload: bytes
    time: str  # RFC 3339, given by the broker


class StoredMessage(NamedTuple):
    """A message as bytes, for whoever hashes it: nothing in it is decoded."""

    position: int
    subject: bytes
    head: bytes
    """The first line and the publisher's headers, each with its line end."""
    payload: bytes

    @property
    def topic(self) -> bytes:
        """What happened; empty if the publisher did not say."""
        return _value(self.head, b"\r\nT: ")

    @property
    def hash(self) -> bytes:
        """The hash that the publisher gave, in hex."""
        return _value(self.head, b"\r\nH: ")


def _value(head: bytes, name: bytes) -> bytes:
    start = head.find(name)
    if start < 0:
        return b""
    start += len(name)
    return head[start : head.find(b"\r", start)]
