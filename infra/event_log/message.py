"""One stored message of the log, as read back from the broker."""

from dataclasses import dataclass

TOPIC_HEADER = "T"
APPEND_HEADER = "U"  # id of the append call: tells our own lost acknowledgement from a conflict
HASH_HEADER = "H"


@dataclass(frozen=True, slots=True)
class LogMessage:
    """A message at a position; `headers` are those it was published with."""

    position: int
    subject: str
    headers: dict[str, str]
    payload: bytes
    time: str  # RFC 3339, given by the broker

    @property
    def topic(self) -> str:
        return self.headers.get(TOPIC_HEADER, "")

    @property
    def hash(self) -> str:
        return self.headers.get(HASH_HEADER, "")
