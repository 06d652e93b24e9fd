"""Locks requirements at the platform, once per set: the same set gives the same lock for ever."""

import asyncio
import sys
from collections.abc import Collection, Iterable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import orjson

from infra.environments.locks import Lock, LockFailed, lock
from infra.environments.store import sdk_wheel
from infra.environments.variants import CPU, packed
from infra.file_store import FileStore

_AT_ONCE = 2


class Locks:
    """Makes locks and keeps them as files; answers digests."""

    def __init__(self, environments: Path, files: FileStore) -> None:
        self._environments = environments
        self._files = files
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._known: dict[str, str] = {}

    async def digest(self, requirements: Iterable[str], variants: Collection[str] = (CPU,)) -> str:
        """Digest of the file that holds locks of all these requirements together, by variant.

        A variant for which they cannot be met is left out. Raises LockFailed with what stands
        against it if that is so for all.
        """
        wanted, sorted_variants = sorted(set(requirements)), sorted(set(variants))
        async with self._room:
            return await asyncio.to_thread(self._lock, wanted, sorted_variants)

    def _lock(self, requirements: list[str], variants: list[str]) -> str:
        wheel = sdk_wheel(self._environments)
        facts = [requirements, variants, wheel.name, wheel.stat().st_mtime_ns]
        key = sha256(orjson.dumps(facts)).hexdigest()
        if key not in self._known:
            self._known[key] = self._remembered(key) or self._make(
                key, requirements, variants, wheel
            )
        return self._known[key]

    def _make(self, key: str, requirements: list[str], variants: list[str], wheel: Path) -> str:
        found: list[Lock] = []
        failures: list[LockFailed] = []
        for variant in variants:
            try:
                found.append(self._locked(requirements, variant, wheel))
            except LockFailed as failure:
                if failure.retryable:
                    raise
                failures.append(failure)
        if not found:
            raise failures[0]
        digest, _ = self._files.put([packed([asdict(each) for each in found])])
        note = self._note(key)
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(digest)
        return digest

    def _locked(self, requirements: list[str], variant: str, wheel: Path) -> Lock:
        return lock(
            requirements,
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            sdk_wheel=wheel,
            cache=self._environments / "cache",
            variant=variant,
        )

    def _remembered(self, key: str) -> str | None:
        note = self._note(key)
        digest = note.read_text() if note.exists() else ""
        return digest if digest and self._files.has(digest) else None

    def _note(self, key: str) -> Path:
        return self._environments / "locks" / key
