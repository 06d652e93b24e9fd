"""The roots of the artifacts in the record: those that live, and those that were deleted."""

from dataclasses import dataclass

import orjson

from domain.artifact import Artifact
from infra.event_codec import current
from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from infra.event_log.message import LogMessage

_PAGE = 1000
_LEAVE_THE_ROOT = {
    each.TOPIC for each in (Artifact.Attached, Artifact.Held, Artifact.Released, Artifact.Retained)
}


class UnknownEvent(Exception):
    """The record holds an event of artifacts that this version does not know."""


@dataclass(frozen=True, slots=True)
class Roots:
    """The roots at one position of the record; one that lives may be among the gone as well."""

    position: int
    live: frozenset[bytes]
    gone: frozenset[bytes]


class LiveRoots:
    """Folds what the record says of artifacts, each time from where it stopped."""

    def __init__(self, reader: BulkReader, layout: Layout | None = None) -> None:
        self._reader = reader
        self._subjects = (layout or Layout()).of_kind(Artifact.TOPIC)
        self._position = 0
        self._live: dict[str, bytes] = {}
        self._gone: set[bytes] = set()

    def read(self) -> Roots:
        """The roots as they are now. Raises UnknownEvent, LogUnavailable.

        An event that cannot be understood may be a commit: better nothing is collected then.
        """
        while messages := self._reader.read_after(self._position, _PAGE, self._subjects):
            for message in messages:
                self._fold(message)
                self._position = message.position
        return Roots(self._position, frozenset(self._live.values()), frozenset(self._gone))

    def _fold(self, message: LogMessage) -> None:
        topic, payload = current(message.topic, orjson.loads(message.payload))
        artifact = message.subject.rpartition(".")[0]
        if topic == Artifact.Committed.TOPIC:
            self._live[artifact] = bytes.fromhex(payload["data"]["root"])
        elif topic == Artifact.Deleted.TOPIC:
            self._gone.add(self._live.pop(artifact))
        elif topic not in _LEAVE_THE_ROOT:
            raise UnknownEvent(f"`{topic}` at position {message.position} is not known here")
