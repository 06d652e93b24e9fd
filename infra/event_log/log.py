"""The event log: append events with their hash chain, read them by aggregate or by position."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence

from eventsourcing.persistence import StoredEvent
from nats.aio.client import Client

from infra.event_log import direct_get
from infra.event_log.appending import Appender, Entry
from infra.event_log.chain import GENESIS, chain_hash
from infra.event_log.errors import VersionConflict
from infra.event_log.layout import AggregateId, Layout
from infra.event_log.message import HASH_HEADER, TOPIC_HEADER, LogMessage
from infra.event_log.reading import DirectReader, TooManySubjects

_HEADS_KEPT = 4096


class EventLog:
    """Asynchronous access to the record; one object per NATS connection."""

    def __init__(
        self,
        client: Client,
        layout: Layout | None = None,
        check_space: Callable[[], None] = lambda: None,
        appended: Callable[[Iterable[str]], None] = lambda ids: None,
    ) -> None:
        self.layout = layout or Layout()
        self._check_space = check_space
        self._appended = appended
        self._reader = DirectReader(client)
        self._appender = Appender(client, self._reader, self.layout.stream)
        self._heads: OrderedDict[AggregateId, tuple[int, str]] = OrderedDict()

    async def append(
        self, events: Sequence[StoredEvent], heads: Mapping[AggregateId, str] | None = None
    ) -> list[int]:
        """Append events, all or none, and answer their contiguous positions.

        `heads` may give the chain hash that an aggregate's first new event builds on; what is
        not given is looked up. Raises VersionConflict, StorageFull, AppendTooLarge and
        LogUnavailable.
        """
        if not events:
            return []
        self._check_space()
        _refuse_duplicates(events)
        new_heads = {id_: (0, hash_) for id_, hash_ in (heads or {}).items()}
        entries = [await self._entry(event, new_heads) for event in events]
        positions = await self._appender.append(entries)
        self._remember(new_heads)
        self._appended({str(event.originator_id) for event in events})
        return positions

    async def read(
        self, aggregate_id: AggregateId, *, gt: int = -1, lte: int | None = None
    ) -> list[LogMessage]:
        """Events of one aggregate in version order, versions in (gt, lte]."""
        try:
            messages = await self._last_of_each([f"{self.layout.aggregate(aggregate_id)}.*"])
        except TooManySubjects:
            return await self._read_long(aggregate_id, gt, lte)
        return [m for m in messages if _within(self.layout.parse(m.subject)[1], gt, lte)]

    async def read_after(
        self, position: int, limit: int, subjects: str | None = None
    ) -> list[LogMessage]:
        """At most `limit` messages behind a position, in log order."""
        filter_ = subjects or self.layout.everything
        return await self._reader.fetch(
            direct_get.after(self.layout.stream, position, filter_, limit)
        )

    async def last(self, subject: str | None = None) -> LogMessage | None:
        """The newest message whose subject matches (any, by default)."""
        subject = subject or self.layout.everything
        found = await self._reader.fetch(direct_get.last(self.layout.stream, subject))
        return found[0] if found else None

    async def _entry(self, event: StoredEvent, heads: dict[AggregateId, tuple[int, str]]) -> Entry:
        id_, version = event.originator_id, event.originator_version
        subject = self.layout.event(id_, version)
        previous = heads[id_][1] if id_ in heads else await self._head(id_, version - 1)
        hash_ = chain_hash(previous, subject, event.topic, event.state)
        heads[id_] = (version, hash_)
        return Entry(subject, {TOPIC_HEADER: event.topic, HASH_HEADER: hash_}, event.state)

    async def _head(self, aggregate_id: AggregateId, version: int) -> str:
        if version < 1:
            return GENESIS
        known = self._heads.get(aggregate_id)
        if known and known[0] == version:
            return known[1]
        message = await self.last(self.layout.event(aggregate_id, version))
        return message.hash if message else GENESIS

    def _remember(self, heads: Mapping[AggregateId, tuple[int, str]]) -> None:
        for aggregate_id, head in heads.items():
            self._heads[aggregate_id] = head
            self._heads.move_to_end(aggregate_id)
        while len(self._heads) > _HEADS_KEPT:
            self._heads.popitem(last=False)

    async def _last_of_each(self, subjects: Sequence[str]) -> list[LogMessage]:
        return await self._reader.fetch(direct_get.last_of_each(self.layout.stream, subjects))

    async def _read_long(
        self, aggregate_id: AggregateId, gt: int, lte: int | None
    ) -> list[LogMessage]:
        """Page by literal versions: a wildcard over more than 1024 subjects is refused."""
        found: list[LogMessage] = []
        start = gt
        while lte is None or start < lte:
            stop = start + direct_get.MAX_SUBJECTS
            stop = stop if lte is None else min(stop, lte)
            subjects = [self.layout.event(aggregate_id, v) for v in range(start + 1, stop + 1)]
            page = await self._last_of_each(subjects)
            found += page
            if not page:
                break
            start = stop
        return found


def _within(version: int, gt: int, lte: int | None) -> bool:
    return version > gt and (lte is None or version <= lte)


def _refuse_duplicates(events: Sequence[StoredEvent]) -> None:
    places = {(event.originator_id, event.originator_version) for event in events}
    if len(places) < len(events):
        raise VersionConflict("the same event twice in one append")
