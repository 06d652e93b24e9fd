"""JetStream's direct get, the log's read protocol: requests, replies and their end.

Source: NATS ADR-31 (JetStream direct get, batch and multi-subject requests).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from infra.event_log.message import APPEND_HEADER, HASH_HEADER, TOPIC_HEADER, LogMessage

MAX_SUBJECTS = 1024  # a multi-subject request for more is answered 413
END_OF_BATCH = "204"
NOTHING_FOUND = "404"
TOO_MANY = "413"


@dataclass(frozen=True, slots=True)
class DirectGet:
    """A request for messages of a stream."""

    stream: str
    body: Mapping[str, Any]

    @property
    def subject(self) -> str:
        return f"$JS.API.DIRECT.GET.{self.stream}"

    @property
    def payload(self) -> bytes:
        return orjson.dumps(self.body)


def after(stream: str, position: int, subjects: str, limit: int, max_bytes: int = 0) -> DirectGet:
    """Messages behind a position, in order, at most `limit` of them (and about `max_bytes`)."""
    body: dict[str, Any] = {"seq": position + 1, "batch": limit, "next_by_subj": subjects}
    if max_bytes:
        body["max_bytes"] = max_bytes
    return DirectGet(stream, body)


def last_of_each(stream: str, subjects: Sequence[str]) -> DirectGet:
    """The last message of each subject; at most `MAX_SUBJECTS` may match."""
    return DirectGet(stream, {"multi_last": list(subjects), "batch": MAX_SUBJECTS})


def last(stream: str, subject: str) -> DirectGet:
    """The last message whose subject matches."""
    return DirectGet(stream, {"last_by_subj": subject})


def to_message(headers: Mapping[str, str], payload: bytes) -> LogMessage:
    """A reply as a message."""
    return LogMessage(
        position=int(headers["Nats-Sequence"]),
        subject=headers["Nats-Subject"],
        topic=headers.get(TOPIC_HEADER, ""),
        hash=headers.get(HASH_HEADER, ""),
        append=headers.get(APPEND_HEADER, ""),
        payload=payload,
        time=headers["Nats-Time-Stamp"],
    )
