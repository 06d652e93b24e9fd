"""The library's recorders over the event log: synchronous, safe from any thread."""

from collections.abc import Sequence
from threading import Event, Lock
from typing import Any
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    Notification,
    StoredEvent,
    Subscription,
)

from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from infra.event_log.log import EventLog
from infra.event_log.message import LogMessage
from infra.loop_thread import LoopThread

_PAGE = 500
_POLL_S = 0.01


class JetStreamAggregateRecorder(AggregateRecorder):
    """Stores and selects the events of aggregates."""

    def __init__(self, log: EventLog, loop: LoopThread) -> None:
        self._log = log
        self._loop = loop

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Append all or none; raises IntegrityError if one of them is already there."""
        del kwargs
        self._loop.run(self._log.append(stored_events))
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Events of one aggregate in version order."""
        if desc and limit == 1 and gt is None and lte is None:
            return self._newest(originator_id)
        floor = -1 if gt is None else gt
        messages = self._loop.run(self._log.read(originator_id, gt=floor, lte=lte))
        events = [_stored_event(self._log.layout, message) for message in messages]
        return (events[::-1] if desc else events)[:limit]

    def _newest(self, originator_id: UUID | str) -> list[StoredEvent]:
        subject = f"{self._log.layout.aggregate(originator_id)}.*"
        message = self._loop.run(self._log.last(subject))
        return [_stored_event(self._log.layout, message)] if message else []


class JetStreamApplicationRecorder(JetStreamAggregateRecorder, ApplicationRecorder):
    """Adds the total order: notification ids are positions in the log."""

    def __init__(self, log: EventLog, loop: LoopThread, url: str) -> None:
        super().__init__(log, loop)
        self._reader = BulkReader(url, log.layout.stream)
        self._reading = Lock()

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Append all or none and answer their contiguous positions."""
        del kwargs
        return self._loop.run(self._log.append(stored_events))

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """At most `limit` events from `start` to `stop`, of the given topics if any."""
        position = 0 if start is None else start - inclusive_of_start
        found: list[Notification] = []
        while len(found) < limit:
            end, page = self.read_page(position, topics)
            found += [n for n in page if stop is None or n.id <= stop]
            if end == position or (stop is not None and end >= stop):
                break
            position = end
        return found[:limit]

    def max_notification_id(self) -> int | None:
        """The position of the newest event, None for an empty log."""
        message = self._loop.run(self._log.last())
        return message.position if message else None

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        """Events behind `gt`, then those to come, until stopped."""
        return JetStreamSubscription(self, gt=gt, topics=topics)

    def read_page(self, position: int, topics: Sequence[str]) -> tuple[int, list[Notification]]:
        """The position read up to, and the events of these topics on the way there."""
        with self._reading:
            messages = self._reader.read_after(position, _PAGE, self._log.layout.everything)
        wanted = [m for m in messages if not topics or m.topic in topics]
        end = messages[-1].position if messages else position
        return end, [_notification(self._log.layout, m) for m in wanted]

    def close(self) -> None:
        """Close the reading connection; the writing one belongs to the factory."""
        self._reader.close()


class JetStreamSubscription(Subscription[ApplicationRecorder]):
    """A blocking iterator over the log; `stop` from any thread ends it."""

    def __init__(
        self,
        recorder: JetStreamApplicationRecorder,
        gt: int | None,
        topics: Sequence[str],
    ) -> None:
        super().__init__(recorder, gt=gt, topics=topics)
        self._pages = recorder
        self._position = gt or 0
        self._ready: list[Notification] = []
        self._stopped = Event()

    def stop(self) -> None:
        """End the iteration."""
        super().stop()
        self._stopped.set()

    def __next__(self) -> Notification:
        while not self._ready and not self._stopped.is_set():
            self._position, page = self._pages.read_page(self._position, self._topics)
            self._ready = page[::-1]
            if not page:
                self._stopped.wait(_POLL_S)
        if self._stopped.is_set():
            raise StopIteration
        return self._ready.pop()


def _stored_event(layout: Layout, message: LogMessage) -> StoredEvent:
    aggregate_id, version = layout.parse(message.subject)
    return StoredEvent(aggregate_id, version, message.topic, message.payload)


def _notification(layout: Layout, message: LogMessage) -> Notification:
    aggregate_id, version = layout.parse(message.subject)
    return Notification(aggregate_id, version, message.topic, message.payload, message.position)
