"""The disk is short of space: writes are refused before the broker hits the wall."""

import os
from pathlib import Path

from infra.event_log.errors import StorageFull


class FullDiskPassed:
    """Says once, after the disk has been full and has room again, that the broker must restart.

    After a write that found no space nats-server answers nothing until it is started again.
    """

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._was_full = False

    def __call__(self) -> bool:
        """True in the one call that finds room again."""
        free_bytes = _free_bytes(self._folder)
        if free_bytes < self._min_free_bytes // 8:
            self._was_full = True
        passed = self._was_full and free_bytes > self._min_free_bytes
        self._was_full = self._was_full and not passed
        return passed


class DiskSpace:
    """Call it before a write: raises StorageFull below `min_free_bytes` of free space."""

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self._folder = folder
        self._min_free_bytes = min_free_bytes

    def __call__(self) -> None:
        free_bytes = _free_bytes(self._folder)
        if free_bytes < self._min_free_bytes:
            raise StorageFull(
                f"{free_bytes >> 20} MB are free, writes need {self._min_free_bytes >> 20} MB"
            )


def _free_bytes(folder: Path) -> int:
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize
