"""Makes checkpoints: reads what was appended since the last one, hashes it, signs the new root.

Nothing of it is on the way of an append, and nothing is kept but in the ledger: whoever starts
anew, or elsewhere with the same key, goes on from the last checkpoint.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from nats.aio.client import Client

from hansard.formats.merkle import Frontier
from infra.audit.checkpoint import FIRST, Checkpoint, SignedCheckpoint
from infra.audit.keyring import KeyRing
from infra.audit.ledger import Entry, Place, messages, pack, unpack
from infra.audit.note import PrivateKey
from infra.audit.record import digest_of, leaves_of
from infra.event_log.bulk_read import BulkReader
from infra.event_log.errors import LogUnavailable
from infra.event_log.layout import Layout
from infra.event_log.reading import ANSWER_TIMEOUT_S, until_answered

MOST_EVENTS = 1000
EVERY_S = 60.0

_WRONG_LAST_SEQUENCE = 10071


class CannotSign(Exception):
    """The record is not as the last checkpoint says, or its key is not here: nothing is signed."""


@dataclass(frozen=True, slots=True)
class _State:
    """Where the ledger is: the last checkpoint with our signature, and its last message."""

    entry: Entry | None
    end: int


@dataclass(frozen=True, slots=True)
class _Made:
    signed: SignedCheckpoint
    payload: bytes
    frontier: Frontier
    end: int


def _now() -> datetime:
    return datetime.now(UTC)


class Checkpointer:
    """Makes the checkpoints of one record; `client` may write the ledger."""

    def __init__(
        self,
        client: Client,
        url: str,
        keys: KeyRing,
        *,
        layout: Layout | None = None,
        place: Place | None = None,
        every_s: float = EVERY_S,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._client = client
        self._keys = keys
        self._layout = layout or Layout()
        self._place = place or Place()
        self._every_s = every_s
        self._now = now
        self._events = BulkReader(url, self._layout.stream)
        self._ledger = BulkReader(url, self._place.stream)
        self._frontier: Frontier | None = None
        self._made_at = -every_s  # what was new before this process started waits no longer

    def close(self) -> None:
        """Close the connections that read."""
        self._events.close()
        self._ledger.close()

    async def step(self, *, now: bool = False) -> SignedCheckpoint | None:
        """A checkpoint of at most 1,000 more events if it is time, or anything is new and `now`.

        Raises CannotSign, LogUnavailable.
        """
        made = await asyncio.to_thread(self._make_if_due, now)
        return await self._store(made) if made else None

    async def last(self) -> SignedCheckpoint | None:
        """The last checkpoint that the key here has signed. Raises CannotSign, LogUnavailable."""
        state = await asyncio.to_thread(self._state)
        return state.entry.signed if state.entry else None

    async def rotate(self, *, lost: bool = False) -> SignedCheckpoint | None:
        """A checkpoint from which on a new key signs; the old one signs it too unless it is lost.

        None if another process made a checkpoint at that moment. Raises CannotSign, LogUnavailable.
        """
        made = await asyncio.to_thread(self._make_rotation, lost)
        stored = await self._store(made)
        if stored is not None:
            self._keys.signer(stored.said.key)
        return stored

    async def _store(self, made: _Made) -> SignedCheckpoint | None:
        headers = {"Nats-Expected-Last-Subject-Sequence": str(made.end)}
        answer = await until_answered(
            lambda: self._client.request(
                self._place.subject, made.payload, ANSWER_TIMEOUT_S, headers=headers
            )
        )
        error = orjson.loads(answer.data).get("error")
        if error and error.get("err_code") == _WRONG_LAST_SEQUENCE:
            return None  # somebody else was first, or our own acknowledgement got lost
        if error:
            raise LogUnavailable(f"the ledger refused: {error.get('description')}")
        self._frontier, self._made_at = made.frontier, time.monotonic()
        return made.signed

    def _make_if_due(self, now: bool) -> _Made | None:
        state = self._state()
        size = state.entry.size if state.entry else 0
        new = self._log_end() - size
        if new < 0:
            raise CannotSign(f"a checkpoint covers {size} events, but the log ends at {size + new}")
        waited = time.monotonic() - self._made_at >= self._every_s
        if not new or not (new >= MOST_EVENTS or waited or now):
            return None
        signer = self._signer(state)
        first = signer.public if state.entry is None else None
        return self._make(state, Checkpoint(signer.name, 0, b"", self._now(), FIRST, first), signer)

    def _make_rotation(self, lost: bool) -> _Made:
        state = self._state(any_key=lost)
        signers = [] if lost else [self._signer(state)]
        name = state.entry.signed.said.origin if state.entry else self._keys.first().name
        new = self._keys.successor(name)
        said = Checkpoint(name, 0, b"", self._now(), FIRST, new.public)
        if state.entry is None and not lost:
            raise CannotSign("there is no checkpoint yet, so the first key is still new")
        return self._make(state, said, *signers, new)

    def _make(self, state: _State, said: Checkpoint, *signers: PrivateKey) -> _Made:
        """Fold at most 1,000 more events in, and sign."""
        frontier = self._frontier_at(state.entry)
        found = self._events.read_stored_after(frontier.size, MOST_EVENTS, self._layout.everything)
        wanted = range(frontier.size + 1, frontier.size + len(found) + 1)
        if [message.position for message in found] != list(wanted):
            raise CannotSign(f"events behind position {frontier.size} are missing")
        digests = [digest_of(message) for message in found]
        frontier.extend(leaves_of(frontier.size + 1, digests))
        previous = state.entry.signed.digest if state.entry else FIRST
        root = frontier.root()
        text = Checkpoint(said.origin, frontier.size, root, said.time, previous, said.key)
        signed = text.signed(*signers)
        return _Made(signed, pack(signed, frontier.peaks, digests), frontier, state.end)

    def _state(self, *, any_key: bool = False) -> _State:
        """The last checkpoint that our key signed: a forged one behind it changes nothing."""
        last = self._ledger.last(self._place.subject)
        if last is None:
            return _State(None, 0)
        try:
            entry = unpack(last)
        except ValueError:
            entry = None
        if entry is None or not (any_key or self._is_ours(entry)):
            entry = self._last_of_ours()
        return _State(entry, last.position)

    def _is_ours(self, entry: Entry) -> bool:
        signer = self._keys.signer(entry.signed.said.key)
        return signer is not None and entry.signed.note.is_signed_by(signer.public)

    def _last_of_ours(self) -> Entry:
        found = None
        for message in messages(self._ledger, self._place):
            try:
                entry = unpack(message)
            except ValueError:
                continue
            found = entry if self._is_ours(entry) else found
        if found is None:
            raise CannotSign("the key of this record's checkpoints is not in the data folder")
        return found

    def _signer(self, state: _State) -> PrivateKey:
        if state.entry is None:
            return self._keys.first()
        signer = self._keys.signer()
        assert signer is not None, "the last checkpoint is one that our key signed"
        return signer

    def _log_end(self) -> int:
        last = self._events.last(self._layout.everything)
        return last.position if last else 0

    def _frontier_at(self, entry: Entry | None) -> Frontier:
        """The tree at a checkpoint, to be extended; folded anew where the ledger is damaged."""
        if entry is None:
            return Frontier()
        known = self._frontier
        if known is None or (known.size, known.root()) != (entry.size, entry.signed.said.root):
            known = entry.frontier() or self._folded_to(entry.size)
        if known.root() != entry.signed.said.root:
            raise CannotSign(f"the first {entry.size} events are not those that were signed")
        return Frontier(known.size, known.peaks)

    def _folded_to(self, size: int) -> Frontier:
        frontier = Frontier()
        while frontier.size < size:
            limit = min(MOST_EVENTS, size - frontier.size)
            found = self._events.read_stored_after(frontier.size, limit, self._layout.everything)
            if not found:
                break
            digests = [digest_of(message) for message in found]
            frontier.extend(leaves_of(frontier.size + 1, digests))
        return frontier
