"""Checks the record: every entity's chain, and the root of all events at each signed checkpoint.

Reads the stored bytes once, in order, and stops at the first thing that is not as it was written.
Time is linear in the log, memory in the number of entities.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from hansard.formats.merkle import Frontier
from infra.audit.chains import Chains, Finding
from infra.audit.checkpoint import Checkpoint, SignedCheckpoint
from infra.audit.difference import first_difference
from infra.audit.history import History
from infra.audit.record import digest_of, leaves_of
from infra.event_log.layout import Layout
from infra.event_log.message import LogMessage, StoredMessage

_PAGE = 500
_MOST_TOLD_APART = 4096  # events without a checkpoint; more are folded, and told of as a stretch


class StoredLog(Protocol):
    """What is read of a log; a BulkReader is one."""

    def read_stored_after(self, position: int, limit: int, subjects: str) -> list[StoredMessage]:
        """At most `limit` messages behind a position, in order."""

    def stored_pages(
        self, position: int, limit: int, subjects: str, last: int | None = None
    ) -> Iterator[list[StoredMessage]]:
        """Pages of these up to position `last`, as long as there are any."""

    def last(self, subject: str) -> LogMessage | None:
        """The newest message whose subject matches."""


@dataclass(frozen=True, slots=True)
class Part:
    """Positions to check, both ends included; no end is the end of the log."""

    first: int = 1
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """How much was checked, and the first finding, if any."""

    events: int
    aggregates: int
    finding: Finding | None
    checkpoints: int = 0
    """Signed roots that the events were held against."""
    covered: int = 0
    """The last position under a signed root that was reached."""

    @property
    def intact(self) -> bool:
        """Whether nothing was found."""
        return self.finding is None


class _Stretch:
    """Events since the last checkpoint that held, and the tree up to them."""

    def __init__(self, base: Frontier) -> None:
        self.base = base
        self.messages: list[StoredMessage] = []
        self.digests: list[bytes] = []
        self._tree = Frontier(base.size, base.peaks)

    def add(self, message: StoredMessage) -> None:
        self.messages.append(message)
        self.digests.append(digest_of(message))

    def tree(self) -> Frontier:
        """The tree over all events so far."""
        folded = self._tree.size - self.base.size
        self._tree.extend(leaves_of(self._tree.size + 1, self.digests[folded:]))
        return self._tree


def verify(
    log: StoredLog,
    layout: Layout,
    history: History | None = None,
    part: Part | None = None,
    kept: Sequence[SignedCheckpoint] = (),
    progress: Callable[[int], None] = lambda position: None,
) -> Verified:
    """Check a part of the log (all by default) against its checkpoints and those in `kept`.

    Of a part, entities that are older begin with what is stored of them before it. It is read on to
    the next checkpoint, which proves its end.
    """
    check = _Check(log, layout, history or History(), part or Part(), kept)
    finding = check.run(progress)
    read = check.position - check.start
    return Verified(read, check.chains.count, finding, check.held, check.covered)


class _Check:
    def __init__(
        self,
        log: StoredLog,
        layout: Layout,
        history: History,
        part: Part,
        kept: Sequence[SignedCheckpoint],
    ) -> None:
        self._log = log
        self._layout = layout
        self._history = history
        base = history.before(part.first)
        tree = (base.frontier() if base else None) or Frontier()
        self.start = self.position = self.covered = tree.size
        self.held = 0
        self.chains = Chains(self._earlier if self.start else None)
        covering = history.covering(part.last) if part.last else None
        self._end = covering.size if covering else part.last
        self._stretch = _Stretch(tree)
        self._sizes = {entry.size for entry in history.entries}
        signed = [*(entry.signed for entry in history.entries), *kept]
        within = [each.said for each in signed if self._is_within(each.said.size)]
        self._due = deque(sorted(within, key=lambda said: said.size))

    def _is_within(self, size: int) -> bool:
        return size > self.start and (self._end is None or size <= self._end)

    def run(self, progress: Callable[[int], None]) -> Finding | None:
        """Read page by page; the first finding."""
        everything = self._layout.everything
        for page in self._log.stored_pages(self.position, _PAGE, everything, self._end):
            for at, message in enumerate(page):
                finding = self._look_at(message, page, at)
                if finding is not None:
                    return finding
            progress(self.position)
        return self._too_short()

    def _look_at(
        self, message: StoredMessage, page: list[StoredMessage], at: int
    ) -> Finding | None:
        what = self.chains.misfit(message, self.position + 1)
        if what is not None:
            return self._broken(page[at:], what)
        self.position += 1
        if self._due:  # behind the last root nothing is left to hold events against
            self._stretch.add(message)
            if self._due[0].size == self.position:
                return self._hold()
            if len(self._stretch.digests) == _MOST_TOLD_APART:
                self._stretch = _Stretch(self._stretch.tree())
        return None

    def _hold(self) -> Finding | None:
        """Hold the events against all roots that were signed for this size."""
        tree = self._stretch.tree()
        while self._due and self._due[0].size == self.position:
            said = self._due.popleft()
            if tree.root() != said.root:
                return self._differs(said)
            self.held += 1
        self.covered = self.position
        if self.position in self._sizes:
            self._stretch = _Stretch(tree)
        return None

    def _differs(self, said: Checkpoint) -> Finding:
        """The event that makes the root another than was signed, as exactly as it can be told."""
        ahead = self._log.read_stored_after(self.position, 1, self._layout.everything)
        finding = self._difference(ahead)
        if finding is not None:
            return finding
        first, time = self.covered + 1, said.time.isoformat()
        what = f"events {first} to {self.position} are not those that were signed at {time}"
        return Finding(first, "", 0, what)

    def _broken(self, rest: list[StoredMessage], what: str) -> Finding:
        """An event that breaks its entity's chain: what was signed may tell more, or of one before.

        It tells nothing where the chain was broken already when it was signed.
        """
        if rest[0].position != self.position + 1:
            lost = self.chains.skipped(self._onward(rest))
            return self._finding(lost or b"", self.position + 1, what)
        plain = self._finding(rest[0].subject, self.position + 1, what)
        difference = self._difference(rest)
        if difference is None or difference.position > plain.position:
            return plain
        if difference.position < plain.position:
            what = f"it shows at event {plain.position}, {plain.entity}: {what}"
        return replace(difference, what=f"{difference.what} ({what})")

    def _onward(self, rest: list[StoredMessage]) -> Iterator[StoredMessage]:
        yield from rest
        everything = self._layout.everything
        for page in self._log.stored_pages(rest[-1].position, _PAGE, everything):
            yield from page

    def _difference(self, rest: Sequence[StoredMessage]) -> Finding | None:
        """The first event that is not the one that was signed, if the ledger can prove which was.

        `rest` are the next events; more are read as they are needed.
        """
        base = self._stretch.base
        signed = self._signed_digests(base)
        if signed is None:
            return None
        found = [*self._stretch.messages, *rest]
        missing = len(signed) + 1 - len(found)
        if missing > 0:
            last = found[-1].position if found else base.size
            found += self._log.read_stored_after(last, missing, self._layout.everything)
        digests = [*self._stretch.digests, *map(digest_of, found[len(self._stretch.digests) :])]
        difference = first_difference(signed, digests, base.size + 1)
        if difference is None:
            return None
        position, what = difference
        at = position - base.size - 1
        return (
            self._finding(found[at].subject, position, what)
            if at < len(found)
            else Finding(position, "", 0, what)
        )

    def _signed_digests(self, base: Frontier) -> list[bytes] | None:
        """What was signed for the events behind `base`, where the ledger can prove it."""
        entry = self._history.covering(base.size + 1)
        return self._history.digests(entry, base) if entry else None

    def _too_short(self) -> Finding | None:
        """Whether the log ends before a checkpoint does."""
        if not self._due:
            return None
        earlier = self._difference([])
        if earlier is not None and earlier.position <= self.position:
            return earlier  # the events are too few because one of them is missing
        said = self._due[-1]
        what = (
            f"the log ends at position {self.position}, but {said.size} events were signed at "
            f"{said.time.isoformat()}"
        )
        return Finding(self.position + 1, "", 0, what)

    def _finding(self, stored: bytes, position: int, what: str) -> Finding:
        subject = stored.decode(errors="replace")
        try:
            entity, version = self._layout.parse(subject)
        except ValueError:
            return Finding(position, subject, 0, what)
        return Finding(position, str(entity), version, what)

    def _earlier(self, entity: bytes, version: int) -> bytes:
        found = self._log.last(f"{entity.decode(errors='replace')}.{version}")
        return found.hash.encode() if found else b""
