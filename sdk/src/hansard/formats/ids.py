"""Ids `<kind>-<uuid7>`: made by clients, so that a creation can be retried; ordered by time.

Source: RFC 9562, UUID version 7.
"""

import os
import time
from uuid import UUID

KINDS = ("project", "experiment", "executor", "model", "loader", "version", "run", "user", "token")


def new_id(kind: str) -> str:
    """A new id of a kind.

    >>> new_id("run")[:4]
    'run-'
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    value = milliseconds << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76  # version 7
    value = value & ~(0x3 << 62) | 0x2 << 62  # the variant of RFC 9562
    return f"{kind}-{UUID(int=value)}"
