"""Refuses writes while the disk is short of space, before the broker hits the wall."""

import os
import time
from pathlib import Path

from infra.event_log.errors import StorageFull

_CHECK_EVERY_S = 0.25


class DiskSpace:
    """Call it before a write: raises StorageFull below `min_free_bytes` of free space."""

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._checked_at = 0.0
        self._free_bytes = min_free_bytes

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._checked_at > _CHECK_EVERY_S:
            facts = os.statvfs(self._folder)
            self._free_bytes = facts.f_bavail * facts.f_frsize
            self._checked_at = now
        if self._free_bytes < self._min_free_bytes:
            raise StorageFull(
                f"{self._free_bytes >> 20} MB are free, writes need {self._min_free_bytes >> 20} MB"
            )
