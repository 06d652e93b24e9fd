"""Where an event lies: `<prefix>.<kind>.<id>.<version>`, one subject per event.

With an expected last sequence of 0 on the exact subject this is a primary key on
(aggregate, version), so optimistic concurrency needs no look-up and no client state.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from uuid import UUID

AggregateId = UUID | str

_KIND_AND_KEY = re.compile(r"([a-z][a-z_]*)-([A-Za-z0-9_-]+)")
_UUID_KIND = "u"
_TEXT_KIND = "s"


@dataclass(frozen=True, slots=True)
class Layout:
    """The stream that holds the events and the first token of their subjects."""

    stream: str = "EVENTS"
    prefix: str = "ev"

    @property
    def everything(self) -> str:
        """Subject filter of all events."""
        return f"{self.prefix}.>"

    def of_kind(self, kind: str) -> str:
        """Subject filter of all events of one kind of aggregate."""
        return f"{self.prefix}.{kind}.>"

    def aggregate(self, aggregate_id: AggregateId) -> str:
        """Subject of an aggregate, without the version."""
        return f"{self.prefix}.{encode_id(aggregate_id)}"

    def event(self, aggregate_id: AggregateId, version: int) -> str:
        """Subject of one event."""
        return f"{self.aggregate(aggregate_id)}.{version}"

    def parse(self, subject: str) -> tuple[AggregateId, int]:
        """Aggregate id and version of a subject made by `event`."""
        kind, key, version = subject[len(self.prefix) + 1 :].split(".")
        return _decode_id(kind, key), int(version)


def encode_id(aggregate_id: AggregateId) -> str:
    """Two subject tokens for an id; ids that are not `<kind>-<key>` travel as base64.

    Dots, blanks and wildcards must never reach a subject.
    """
    if isinstance(aggregate_id, UUID):
        return f"{_UUID_KIND}.{aggregate_id.hex}"
    match = _KIND_AND_KEY.fullmatch(aggregate_id)
    if match and match[1] not in (_UUID_KIND, _TEXT_KIND):
        return f"{match[1]}.{match[2]}"
    return f"{_TEXT_KIND}.{urlsafe_b64encode(aggregate_id.encode()).decode()}"


def _decode_id(kind: str, key: str) -> AggregateId:
    if kind == _UUID_KIND:
        return UUID(hex=key)
    if kind == _TEXT_KIND:
        return urlsafe_b64decode(key).decode()
    return f"{kind}-{key}"
