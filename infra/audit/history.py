"""Which checkpoints are genuine: signed by a key that the one before vouches for, in one chain.

Without a key that somebody knows, the first checkpoint is believed. With one, that key is: what it
signed names everything before it, and what came after descends from it: keys sign each other.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from hansard.formats.merkle import Frontier
from infra.audit.checkpoint import FIRST
from infra.audit.ledger import Entry, unpack
from infra.audit.note import PublicKey
from infra.event_log.message import LogMessage


@dataclass(frozen=True, slots=True)
class Fault:
    """A message of the ledger that is not what it must be; place 0 is the ledger as a whole."""

    place: int
    what: str


Again = Callable[[int], LogMessage | None]
"""Reads the message at a place of the ledger once more."""


@dataclass(slots=True)
class History:
    """The genuine checkpoints, oldest first, and what is wrong with the others.

    Of each only the tree's edge is kept in memory, not the digests of its events.
    """

    again: Again = lambda place: None
    entries: list[Entry] = field(default_factory=list)
    keys: list[PublicKey] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Events that are covered."""
        return max((entry.size for entry in self.entries), default=0)

    def digests(self, entry: Entry, before: Frontier) -> list[bytes] | None:
        """Those of a checkpoint's events behind the tree `before`, if they lead to its root."""
        message = self.again(entry.position)
        whole = unpack(message) if message else entry
        proven = whole.signed == entry.signed and whole.leaves(before) is not None
        return whole.digests if proven else None

    def before(self, position: int) -> Entry | None:
        """The last checkpoint that does not cover the event at a position yet."""
        return max(
            (entry for entry in self.entries if entry.size < position),
            key=lambda entry: entry.size,
            default=None,
        )

    def covering(self, position: int) -> Entry | None:
        """The first checkpoint that covers the event at a position."""
        return next((entry for entry in self.entries if entry.size >= position), None)


def read_history(
    messages: Iterable[LogMessage], trusted: PublicKey | None = None, again: Again | None = None
) -> History:
    """Check every message of a ledger; `again` reads one of them once more."""
    found = History(again or (lambda place: None))
    entries: list[Entry] = []
    for message in messages:
        try:
            entries.append(replace(unpack(message), tail=b""))
        except ValueError as error:
            found.faults.append(Fault(message.position, f"no checkpoint can be read: {error}"))
    vouched = _vouched(entries, trusted)
    for entry in entries:
        _take(found, entry, vouched)
    if trusted is not None and trusted not in found.keys:
        found.faults.append(Fault(0, f"the key {trusted} is not one of this record"))
    return found


def _vouched(entries: Sequence[Entry], trusted: PublicKey | None) -> set[PublicKey]:
    """Keys that signed that the trusted one, or one that descends to it, signs after them."""
    known = {key for entry in entries if (key := entry.signed.said.key)}
    found = {trusted} if trusted else set()
    for entry in reversed(entries):
        if entry.signed.said.key in found:
            found |= {key for key in known if entry.signed.note.is_signed_by(key)}
    return found


def _take(found: History, entry: Entry, vouched: set[PublicKey]) -> None:
    """Add a checkpoint if it is genuine; what does not fit is a fault."""
    said, new = entry.signed.said, entry.signed.said.key
    what = _unsigned(found, entry, vouched)
    if what is not None:
        found.faults.append(Fault(entry.position, what))
        return
    last = found.entries[-1].signed if found.entries else None
    if said.previous != (last.digest if last else FIRST):
        what = f"checkpoint of {said.size} events: the one before it is not the one it names"
        found.faults.append(Fault(entry.position, what))
    if last is not None and said.size < last.said.size:
        what = f"checkpoint of {said.size} events follows one of {last.said.size}"
        found.faults.append(Fault(entry.position, what))
    if last is not None and said.time < last.said.time:
        back = (last.said.time - said.time).total_seconds()
        found.remarks.append(f"the clock went back by {back:.0f} s before {said.size} events")
    if new is not None:
        found.keys.append(new)
    found.entries.append(entry)


def _unsigned(found: History, entry: Entry, vouched: set[PublicKey]) -> str | None:
    """Why a checkpoint's signatures do not suffice, or None."""
    said, note = entry.signed.said, entry.signed.note
    if found.keys and said.origin != found.entries[0].signed.said.origin:
        return f"checkpoint of {said.size} events of another record, `{said.origin}`"
    if said.key is not None and not note.is_signed_by(said.key):
        return f"checkpoint of {said.size} events: its new key did not sign it"
    if not found.keys:
        return None if said.key else f"checkpoint of {said.size} events: no key is known yet"
    if note.is_signed_by(found.keys[-1]) or said.key in vouched:
        return None
    if said.key is not None:
        return f"checkpoint of {said.size} events: its new key is not signed by the one before"
    return f"checkpoint of {said.size} events is not signed by {found.keys[-1]}: forged"
