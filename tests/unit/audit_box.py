"""A small record in memory that can be tampered with, and the checkpoints over it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hansard.formats.merkle import Frontier
from infra.audit.checkpoint import FIRST, Checkpoint, SignedCheckpoint
from infra.audit.history import History, read_history
from infra.audit.ledger import pack
from infra.audit.note import PrivateKey, PublicKey
from infra.audit.record import digest_of, leaves_of
from infra.audit.verify import Part, Verified, verify
from infra.event_log.chain import chain_hash_of
from infra.event_log.layout import Layout
from infra.event_log.message import LogMessage, StoredMessage

KEY = PrivateKey("hansard/box", bytes(32))
OTHER = PrivateKey("hansard/box", bytes([1] * 32))
THIEF = PrivateKey("hansard/box", bytes([2] * 32))
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
TOPIC = b"thing.happened.v1"


@dataclass
class MemoryLog:
    """The events of a stream: what `verify` reads of it."""

    events: list[tuple[bytes, bytes, bytes]] = field(default_factory=list)
    """Subject, head and payload of each position from 1 on."""
    heads: dict[bytes, bytes] = field(default_factory=dict)

    def read_stored_after(self, position: int, limit: int, subjects: str) -> list[StoredMessage]:
        found = self.events[position : position + limit]
        return [StoredMessage(at, *event) for at, event in enumerate(found, position + 1)]

    def stored_pages(
        self, position: int, limit: int, subjects: str, last: int | None = None
    ) -> Iterator[list[StoredMessage]]:
        events = self.read_stored_after(position, len(self.events), subjects)
        wanted = [message for message in events if last is None or message.position <= last]
        for start in range(0, len(wanted), 7):
            yield wanted[start : start + 7]

    def last(self, subject: str) -> LogMessage | None:
        for message in reversed(self.read_stored_after(0, len(self.events), "")):
            if message.subject == subject.encode():
                return LogMessage(message.position, subject, "", message.hash.decode(), "", b"", "")
        return None

    def append(self, entity: str, payload: bytes) -> None:
        """An event as its writer stores it."""
        place = f"ev.{entity.replace('-', '.')}".encode()
        version = 1 + sum(subject.rpartition(b".")[0] == place for subject, _, _ in self.events)
        self.events.append(an_event(place, version, self.heads.get(place, b""), payload))
        self.heads[place] = hash_of(self.events[-1])

    def chain_anew(self) -> None:
        """Number the events of each entity anew and make all hashes fit: a thorough forger."""
        known: dict[bytes, tuple[int, bytes]] = {}
        for at, (subject, _, payload) in enumerate(self.events):
            place = subject.rpartition(b".")[0]
            version, hash_ = known.get(place, (0, b""))
            self.events[at] = an_event(place, version + 1, hash_, payload)
            known[place] = version + 1, hash_of(self.events[at])


def an_event(
    place: bytes, version: int, previous: bytes, payload: bytes
) -> tuple[bytes, bytes, bytes]:
    subject = b"%b.%d" % (place, version)
    hash_ = chain_hash_of(previous, subject, TOPIC, payload)
    return subject, b"NATS/1.0\r\nT: %b\r\nH: %b\r\n" % (TOPIC, hash_), payload


def hash_of(event: tuple[bytes, bytes, bytes]) -> bytes:
    return StoredMessage(0, *event).hash


def a_log(count: int = 30) -> MemoryLog:
    """Events of three runs, one after the other."""
    log = MemoryLog()
    for number in range(count):
        log.append(f"run-{'abc'[number % 3]}", b'{"number":%d}' % number)
    return log


@dataclass
class Seal:
    """Makes the ledger of a log."""

    log: MemoryLog
    tree: Frontier = field(default_factory=Frontier)
    ledger: list[LogMessage] = field(default_factory=list)
    last: SignedCheckpoint | None = None

    def to(
        self,
        size: int,
        *keys: PrivateKey,
        key: PublicKey | None = None,
        time: datetime | None = None,
        previous: str | None = None,
        root: bytes | None = None,
    ) -> SignedCheckpoint:
        """A checkpoint of the first `size` events."""
        found = self.log.read_stored_after(self.tree.size, size - self.tree.size, "")
        digests = [digest_of(message) for message in found]
        self.tree.extend(leaves_of(self.tree.size + 1, digests))
        if self.last is None:
            key = key or KEY.public
        said = Checkpoint(
            KEY.name,
            size,
            root or self.tree.root(),
            time or NOON + timedelta(minutes=len(self.ledger)),
            previous or (self.last.digest if self.last else FIRST),
            key,
        )
        signed = said.signed(*(keys or (KEY,)))
        self.put(pack(signed, self.tree.peaks, digests))
        self.last = signed
        return signed

    def put(self, payload: bytes) -> None:
        """Any bytes as the next message of the ledger."""
        self.ledger.append(LogMessage(len(self.ledger) + 1, "", "", "", "", payload, ""))

    def history(self, trusted: PublicKey | None = None) -> History:
        return read_history(self.ledger, trusted, lambda place: self.ledger[place - 1])


def sealed(log: MemoryLog, sizes: Iterable[int] = (10, 20, 27)) -> Seal:
    """A log's ledger with checkpoints of these sizes."""
    seal = Seal(log)
    for size in sizes:
        seal.to(size)
    return seal


def verified(
    seal: Seal, part: Part | None = None, kept: Sequence[SignedCheckpoint] = ()
) -> Verified:
    """What verification says of the log as it is now."""
    return verify(seal.log, Layout(), seal.history(), part, kept)
