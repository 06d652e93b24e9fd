"""Proofs that an event is in the record: its bytes, a path of hashes, and a signed checkpoint.

docs/audit.md describes the document for those who check it, and `examples/audit/check_proof.py`
does so in a page. Only the ledger is read to make one, and the log at one position.
"""

from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from hansard.formats.merkle import Frontier, Span, inclusion_path, is_included
from infra.audit.checkpoint import SignedCheckpoint
from infra.audit.ledger import Entry, Place, unpack
from infra.audit.record import digest_of, leaf_of, record_of
from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from infra.event_log.message import LogMessage, StoredMessage

FORMAT = "hansard-proof/1"
_PAGE = 64


class NotProven(Exception):
    """There is no proof: no checkpoint covers the event yet, or the event is not as was signed."""

    def __init__(self, what: str, *, pending: bool = False) -> None:
        super().__init__(what)
        self.pending = pending
        """Whether it is only a matter of time."""


@dataclass(frozen=True, slots=True)
class Proof:
    """An event, and how its leaf leads to the root of a checkpoint."""

    message: StoredMessage
    path: list[bytes]
    checkpoint: SignedCheckpoint

    def document(self) -> dict[str, Any]:
        """The proof as JSON data."""
        return {
            "format": FORMAT,
            "position": self.message.position,
            "record": b64encode(record_of(self.message)).decode(),
            "size": self.checkpoint.said.size,
            "path": [each.hex() for each in self.path],
            "checkpoint": str(self.checkpoint.note),
        }


class Prover:
    """Makes proofs from a log and its ledger; not for several threads at once."""

    def __init__(self, url: str, layout: Layout | None = None, place: Place | None = None) -> None:
        self._layout = layout or Layout()
        self._place = place or Place()
        self._events = BulkReader(url, self._layout.stream)
        self._ledger = BulkReader(url, self._place.stream)

    def close(self) -> None:
        """Close the connections."""
        self._events.close()
        self._ledger.close()

    def prove(self, position: int, against: SignedCheckpoint | None = None) -> Proof:
        """The proof for the event at a position, by the first checkpoint that covers it.

        Or by the one that is given: then the digests of all events between the two are read.
        Raises NotProven, LogUnavailable.
        """
        found = self._events.read_stored_after(position - 1, 1, self._layout.everything)
        if not found or found[0].position != position:
            raise NotProven(f"there is no event at position {position}")
        size = against.said.size if against else position
        if size < position:
            raise NotProven(f"the checkpoint covers {size} events only")
        tree, leaves, covering = self._covered(position, size)
        signed = against or covering
        said = signed.said
        span = Span(tree, leaves[: said.size - tree.size])
        proof = Proof(found[0], inclusion_path(position - 1, said.size, span), signed)
        leaf = leaf_of(position, digest_of(found[0]))
        if not is_included(leaf, position - 1, said.size, proof.path, said.root):
            raise NotProven(
                f"the event at position {position} is not the one that was signed: "
                "`hansard audit verify` tells more"
            )
        return proof

    def _covered(self, position: int, size: int) -> tuple[Frontier, list[bytes], SignedCheckpoint]:
        """A tree before the event, the leaves from there on, and a checkpoint of `size` or more.

        The short way supposes that the ledger is in order; where something in it is forged, all of
        it is read.
        """
        for before in (self._before(position), None):
            tree = (before.frontier() if before else None) or Frontier()
            place = before.position if before and tree.size else 0
            leaves, covering = self._leaves(place, tree, size)
            if covering is not None:
                return tree, leaves, covering
        raise NotProven(
            f"no checkpoint covers {size} events yet: the next one is made within a minute",
            pending=True,
        )

    def _before(self, position: int) -> Entry | None:
        """The last checkpoint that does not cover an event, found by halves."""
        last = self._ledger.last(self._place.subject)
        low, high = 0, last.position if last else 0  # what lies at `low` does not cover it
        while high - low > 1:
            middle = (low + high) // 2
            entry = self._next(middle)
            low, high = (middle, high) if entry and entry.size < position else (low, middle)
        entry = self._next(low) if low else None
        return entry if entry and entry.size < position else None

    def _next(self, place: int) -> Entry | None:
        """The first readable message of the ledger at a place or behind it."""
        while page := self._ledger.read_after(place - 1, 1, self._place.subject):
            if entry := _readable(page[0]):
                return entry
            place = page[0].position + 1
        return None

    def _leaves(
        self, place: int, tree: Frontier, size: int
    ) -> tuple[list[bytes], SignedCheckpoint | None]:
        """The leaves behind a tree, and the first checkpoint of `size` or more, if there is one.

        What does not fold to its root is passed over.
        """
        grown, leaves = Frontier(tree.size, tree.peaks), list[bytes]()
        while page := self._ledger.read_after(place, _PAGE, self._place.subject):
            for message in page:
                entry = _readable(message)
                more = entry.leaves(grown) if entry else None
                if entry is None or more is None:
                    continue
                grown.extend(more)
                leaves += more
                if grown.size >= size:
                    return leaves, entry.signed
            place = page[-1].position
        return leaves, None


def _readable(message: LogMessage) -> Entry | None:
    try:
        return unpack(message)
    except ValueError:
        return None
