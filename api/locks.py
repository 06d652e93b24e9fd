"""Locks requirements at the platform, once per set: the same set gives the same lock for ever."""

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import orjson

from infra.environments.locks import Lock, lock
from infra.environments.store import sdk_wheel
from infra.file_store import FileStore

_AT_ONCE = 2


class Locks:
    """Makes locks and keeps them as files; answers digests."""

    def __init__(self, environments: Path, files: FileStore) -> None:
        self._environments = environments
        self._files = files
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._known: dict[str, str] = {}

    async def digest(self, requirements: Iterable[str]) -> str:
        """Digest of the file that holds the lock of all these requirements together.

        Raises LockFailed with what stands against it.
        """
        wanted = sorted(set(requirements))
        async with self._room:
            return await asyncio.to_thread(self._lock, wanted)

    def _lock(self, requirements: list[str]) -> str:
        wheel = sdk_wheel(self._environments)
        key = sha256(orjson.dumps([requirements, wheel.name, wheel.stat().st_mtime_ns])).hexdigest()
        if key not in self._known:
            self._known[key] = self._remembered(key) or self._make(key, requirements, wheel)
        return self._known[key]

    def _make(self, key: str, requirements: list[str], wheel: Path) -> str:
        made: Lock = lock(
            requirements,
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            sdk_wheel=wheel,
            cache=self._environments / "cache",
        )
        digest, _ = self._files.put([orjson.dumps(asdict(made))])
        note = self._note(key)
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(digest)
        return digest

    def _remembered(self, key: str) -> str | None:
        note = self._note(key)
        digest = note.read_text() if note.exists() else ""
        return digest if digest and self._files.has(digest) else None

    def _note(self, key: str) -> Path:
        return self._environments / "locks" / key
