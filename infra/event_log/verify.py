"""Checks the hash chain of every aggregate, from the first event of the log to the last."""

from collections.abc import Callable
from dataclasses import dataclass

from infra.event_log.bulk_read import BulkReader
from infra.event_log.chain import GENESIS, chain_hash
from infra.event_log.layout import AggregateId, Layout
from infra.event_log.message import LogMessage

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """The first event that is not what was written."""

    position: int
    entity: str
    version: int
    what: str


@dataclass(frozen=True, slots=True)
class Verified:
    """How much was checked, and the first finding, if any."""

    events: int
    aggregates: int
    finding: Finding | None

    @property
    def intact(self) -> bool:
        """Whether nothing was found."""
        return self.finding is None


def verify(
    reader: BulkReader, layout: Layout, progress: Callable[[int], None] = lambda position: None
) -> Verified:
    """Read the whole log and recompute every chain; stops at the first finding.

    Time is linear in the log, memory in the number of aggregates.
    """
    heads: dict[AggregateId, tuple[int, str]] = {}
    position = 0
    while messages := reader.read_after(position, _PAGE, layout.everything):
        for message in messages:
            what = _misfit(layout, heads, message, position + 1)
            if what is not None:
                entity, version = layout.parse(message.subject)
                finding = Finding(message.position, str(entity), version, what)
                return Verified(message.position - 1, len(heads), finding)
            position = message.position
        progress(position)
    return Verified(position, len(heads), None)


def _misfit(
    layout: Layout,
    heads: dict[AggregateId, tuple[int, str]],
    message: LogMessage,
    expected_position: int,
) -> str | None:
    """What is wrong with a message, or None; remembers it as the head of its chain."""
    if message.position != expected_position:
        return f"events from position {expected_position} on are missing"
    entity, version = layout.parse(message.subject)
    known_version, known_hash = heads.get(entity, (0, GENESIS))
    if version != known_version + 1:
        return f"version {version} follows version {known_version}"
    if message.hash != chain_hash(known_hash, message.subject, message.topic, message.payload):
        return "the content does not match its hash"
    heads[entity] = (version, message.hash)
    return None
