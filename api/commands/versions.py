"""Uploading code: check a bundle without importing it, lock what it requires, number a version."""

import asyncio
from dataclasses import asdict
from typing import Any

from api.access.guard import Guard
from api.locks import Locks
from domain.abstraction import Abstraction, Source, Version
from domain.errors import Invalid
from domain.signature import extract
from domain.text import checked_id
from hansard.formats import bundle
from hansard.formats.manifest import Manifest
from infra.event_store import Session
from infra.file_store import FileStore

KIND_OF_MANIFEST = {"executor": "executor", "model": "model", "dataset_loader": "loader"}

_CHECKS_AT_ONCE = asyncio.Semaphore(2)  # a hostile source can cost seconds and 200 MB to parse


def describe(data: bytes) -> tuple[Manifest, dict[str, Any]]:
    """Manifest and signature of a packed bundle. Raises BundleError and Invalid."""
    contents = bundle.read(data)
    manifest = contents.manifest
    try:
        signature = extract(contents.files, manifest.entry, KIND_OF_MANIFEST[manifest.kind])
    except (RecursionError, MemoryError):  # what Python's parser says of too many brackets
        raise Invalid("the entry class nests expressions too deeply", field="entry") from None
    return manifest, signature


async def store_bundle(files: FileStore, data: bytes) -> dict[str, Any]:
    """Check a bundle and keep it; what is refused is not kept."""
    async with _CHECKS_AT_ONCE:
        manifest, signature = await asyncio.to_thread(describe, data)
    digest, _ = await asyncio.to_thread(files.put, [data])
    return {"digest": digest, "manifest": asdict(manifest), "signature": signature}


async def read_source(files: FileStore, locks: Locks, digest: str, kind: str) -> Source:
    """What a version of this kind records of an uploaded bundle.

    Raises NotFound, Invalid for another kind of bundle, LockFailed.
    """

    def read() -> tuple[Manifest, dict[str, Any]]:
        with files.open(digest) as file:
            return describe(file.read())

    async with _CHECKS_AT_ONCE:
        manifest, signature = await asyncio.to_thread(read)
    if KIND_OF_MANIFEST[manifest.kind] != kind:
        raise Invalid(f"the bundle holds a {manifest.kind}, not a {kind}", field="bundle")
    lock = await locks.digest(manifest.requirements)
    return Source(digest, manifest.entry, list(manifest.requirements), lock, signature)


async def publish(
    session: Session, guard: Guard, abstraction_id: str, version_id: str, source: Source
) -> tuple[int, int]:
    """Add a version to an abstraction; answers its number and the position."""
    abstraction = await guard.load(session, Abstraction, abstraction_id, "publish", repeats=False)
    already = await session.find(Version, checked_id(version_id, "version"), repeats=False)
    abstraction.require_open()
    number = already.number if already else abstraction.add_version(version_id)
    version = Version.of(abstraction, version_id, number, asdict(source))
    if already:
        await session.refuse_repeated_creation(version)
    return number, await session.save(version, abstraction)
