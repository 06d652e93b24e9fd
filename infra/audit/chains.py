"""The hash chains of the entities, recomputed event by event from the stored bytes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from infra.event_log.chain import chain_hash_of
from infra.event_log.message import StoredMessage

Head = tuple[int, bytes]
"""The version of an entity's last event, and that event's hash."""
_NOTHING: Head = (0, b"")


@dataclass(frozen=True, slots=True)
class Finding:
    """The first event that is not what was written; an entity that is not known is empty."""

    position: int
    entity: str
    version: int
    what: str


class Chains:
    """What is known of each entity: its last version and hash. Memory grows with the entities."""

    def __init__(self, earlier: Callable[[bytes, int], bytes] | None = None) -> None:
        """`earlier` answers the hash of an event (subject without version, version) that lies
        before the part that is checked; without it everything is checked from its beginning."""
        self._heads: dict[bytes, Head] = {}
        self._earlier = earlier

    @property
    def count(self) -> int:
        """Entities seen."""
        return len(self._heads)

    def misfit(self, message: StoredMessage, expected: int) -> str | None:
        """What is wrong with the message that should be at `expected`, or None."""
        position, subject, _, payload = message
        if position != expected:
            return f"events from position {expected} on are missing"
        entity, _, digits = subject.rpartition(b".")
        version = int(digits) if digits.isdigit() else -1
        known = self._heads.get(entity)
        if known is None:
            known = self._beginning(entity, version)
        if version != known[0] + 1:
            return f"version {digits.decode(errors='replace')} follows version {known[0]}"
        hash_ = message.hash
        if hash_ != chain_hash_of(known[1], subject, message.topic, payload):
            return "the content does not match its hash"
        self._heads[entity] = (version, hash_)
        return None

    def skipped(self, messages: Iterable[StoredMessage]) -> bytes | None:
        """The subject of the first event that these, coming next, show to be missing.

        None where nothing of its entity follows. Nothing is remembered of them.
        """
        versions: dict[bytes, int] = {}
        for message in messages:
            entity, _, digits = message.subject.rpartition(b".")
            head = self._heads.get(entity, _NOTHING)
            expected = versions.get(entity, head[0]) + 1
            if digits != b"%d" % expected and (head[0] or not self._earlier):
                return b"%b.%d" % (entity, expected)
            versions[entity] = int(digits) if digits.isdigit() else expected
        return None

    def _beginning(self, entity: bytes, version: int) -> Head:
        if self._earlier is None or version <= 1:
            return _NOTHING
        return version - 1, self._earlier(entity, version - 1)
