"""The projector: follows the record's two streams by position and folds them in batches."""

from collections.abc import Callable, Sequence
from threading import Event
from typing import Generic, TypeVar

from infra.database import Connection
from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from infra.event_log.message import LogMessage
from infra.telemetry import EVERYTHING, STREAM
from projections.batch import BatchWriter, Foldable, Undecodable
from projections.compaction import compact
from projections.read_event import ReadEvent, read_event
from projections.registries import fold_events
from projections.telemetry import ReadFrame, attempt_of, fold_frames, read_frame

BATCH = 5000
_IDLE_S = 0.02

F = TypeVar("F", bound=Foldable)


class Follower(Generic[F]):
    """Reads one stream behind its position, and folds what it reads."""

    def __init__(
        self,
        reader: BulkReader,
        writer: BatchWriter[F],
        subjects: str,
        decode: Callable[[LogMessage], F],
        entity_of: Callable[[LogMessage], str],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._subjects = subjects
        self._decode = decode
        self._entity_of = entity_of

    def step(self, limit: int = BATCH, stop: int | None = None) -> int:
        """Fold one batch, up to position `stop` if given; answers how many messages it held."""
        position = self._writer.position()
        messages = self._reader.read_after(position, limit, self._subjects)
        if stop is not None:
            messages = [m for m in messages if m.position <= stop]
        if messages:
            self._writer.write(position, list(map(self._read, messages)), messages[-1].position)
        return len(messages)

    def position(self) -> int:
        """The position folded up to."""
        return self._writer.position()

    def close(self) -> None:
        """Close the reading connection."""
        self._reader.close()

    def _read(self, message: LogMessage) -> F | Undecodable:
        try:
            return self._decode(message)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            entity = self._entity_of(message)
            return Undecodable(message.position, entity, message.topic, str(error))


AnyFollower = Follower[ReadEvent] | Follower[ReadFrame]


def events_follower(connection: Connection, url: str, layout: Layout) -> Follower[ReadEvent]:
    """Follows the events of a log into the registries."""
    return Follower(
        BulkReader(url, layout.stream),
        BatchWriter(connection, "EVENTS", fold_events),
        layout.everything,
        lambda message: read_event(layout, message),
        lambda message: "-".join(message.subject.split(".")[1:3]),
    )


def telemetry_follower(connection: Connection, url: str) -> Follower[ReadFrame]:
    """Follows metrics and logs into their tables."""
    writer = BatchWriter(connection, STREAM, fold_frames)
    return Follower(BulkReader(url, STREAM), writer, EVERYTHING, read_frame, attempt_of)


def follow(connection: Connection, followers: Sequence[AnyFollower], stopped: Event) -> None:
    """Fold until stopped; idle polls are 20 ms apart."""
    while not stopped.is_set():
        folded = sum(follower.step() for follower in followers)
        compacted = compact(connection)
        if not folded and not compacted:
            stopped.wait(_IDLE_S)
