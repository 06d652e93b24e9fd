"""The stream of checkpoints: each message is a signed note, and behind it what is needed to go on.

Behind the note and a zero byte come the number of the tree's peaks (one byte), the peaks, and the
digest of each event since the checkpoint before, 32 bytes each. These are not signed by themselves;
they fold to the root that is, or are worth nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hansard.formats.merkle import HASH_BYTES, Frontier
from infra.audit.checkpoint import SignedCheckpoint
from infra.audit.record import leaves_of
from infra.event_log.bulk_read import BulkReader
from infra.event_log.message import LogMessage

_PAGE = 256


@dataclass(frozen=True, slots=True)
class Place:
    """The stream that holds the checkpoints, and their subject."""

    stream: str = "AUDIT"
    subject: str = "audit.checkpoint"


@dataclass(frozen=True, slots=True)
class Entry:
    """A readable message of the ledger; nothing in it is proven."""

    position: int
    signed: SignedCheckpoint
    peaks: list[bytes]
    tail: bytes
    """The digests behind the peaks, one after the other."""

    @property
    def digests(self) -> list[bytes]:
        """Of the events up to the checkpoint's size, the last one last."""
        return _split(self.tail)

    @property
    def size(self) -> int:
        """Events that the checkpoint covers."""
        return self.signed.said.size

    def frontier(self) -> Frontier | None:
        """The tree at the checkpoint, None if what lies there does not fold to its root."""
        try:
            found = Frontier(self.size, self.peaks)
        except ValueError:
            return None
        return found if found.root() == self.signed.said.root else None

    def leaves(self, before: Frontier) -> list[bytes] | None:
        """The leaves since the tree `before`; None if they do not lead to the checkpoint's root."""
        digests = self.digests
        if before.size + len(digests) != self.size:
            return None
        leaves = leaves_of(before.size + 1, digests)
        grown = Frontier(before.size, before.peaks)
        grown.extend(leaves)
        return leaves if grown.root() == self.signed.said.root else None


def pack(signed: SignedCheckpoint, peaks: Sequence[bytes], digests: Sequence[bytes]) -> bytes:
    """A message of the ledger."""
    head = str(signed.note).encode() + b"\0" + bytes([len(peaks)])
    return head + b"".join(peaks) + b"".join(digests)


def unpack(message: LogMessage) -> Entry:
    """A message of the ledger, taken apart. Raises ValueError."""
    text, separator, rest = message.payload.partition(b"\0")
    if not separator or len(rest) % HASH_BYTES != 1:
        raise ValueError("not a message of the ledger")
    signed = SignedCheckpoint.parse(text.decode())
    middle = 1 + rest[0] * HASH_BYTES
    return Entry(message.position, signed, _split(rest[1:middle]), rest[middle:])


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def messages(reader: BulkReader, place: Place) -> Iterator[LogMessage]:
    """All messages of the ledger, oldest first."""
    position = 0
    while page := reader.read_after(position, _PAGE, place.subject):
        yield from page
        position = page[-1].position
