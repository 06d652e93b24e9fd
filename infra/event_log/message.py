"""One stored message of the log, as read back from the broker."""

from dataclasses import dataclass

TOPIC_HEADER = "T"
APPEND_HEADER = "U"  # id of the append call: tells our own lost acknowledgement from a conflict
HASH_HEADER = "H"


@dataclass(slots=True)
class LogMessage:
    """A message at its position; what its publisher did not say is empty."""

    position: int
    subject: str
    topic: str
    hash: str
    append: str
    payload: bytes
    time: str  # RFC 3339, given by the broker
