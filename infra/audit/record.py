"""What of an event is hashed into the tree: everything that is stored, and its position.

The record of an event is its subject, a line break, its headers as stored with the empty line that
ends them, and its payload. The broker's own time is no part of it: the time that counts is in the
payload. A leaf is the position (8 bytes, big endian) and the SHA-256 of the record.
"""

from hashlib import sha256

from hansard.formats import merkle
from infra.event_log.message import StoredMessage


def record_of(message: StoredMessage) -> bytes:
    """The bytes of an event that are hashed."""
    return b"%b\n%b\r\n%b" % (message.subject, message.head, message.payload)


def digest_of(message: StoredMessage) -> bytes:
    """The SHA-256 of an event's record: the same wherever it stands."""
    return sha256(record_of(message)).digest()


def leaf_of(position: int, digest: bytes) -> bytes:
    """The leaf of the tree for the event at a position (from 1)."""
    return merkle.leaf(position.to_bytes(8, "big") + digest)


def leaves_of(first: int, digests: list[bytes]) -> list[bytes]:
    """The leaves for events that follow each other, from position `first` on."""
    return [leaf_of(position, digest) for position, digest in enumerate(digests, first)]
