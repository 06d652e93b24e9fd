"""What can go wrong where packs and files lie. A full disk is StorageFull, as of the event log."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from infra.event_log.errors import StorageFull

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


class Missing(Exception):
    """Nothing is stored under this key."""


class StorageFailed(Exception):
    """The disk or the S3 server failed; whether a write was kept is unknown."""


@contextmanager
def disk_failures() -> Iterator[None]:
    """Turn an OSError into StorageFull where space ran out, else into StorageFailed."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise StorageFull("the disk has no room for more; nothing was stored") from error
        raise StorageFailed(f"the disk failed: {error}") from error


def is_full(error: OSError) -> bool:
    """Whether the error says that the disk, or somebody's share of it, is full."""
    return error.errno in _NO_SPACE
