"""Publishing: checked code that is locked, bytes that are there, or both get the next number."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from api.access.artifacts import ArtifactReader
from api.access.guard import Guard
from api.authentication import Subject
from api.commands.bases import Below, find_below
from api.commands.files import require_bundle
from api.services import Services
from domain.abstraction import Abstraction
from domain.aggregate import Aggregate, Context
from domain.artifact import Artifact
from domain.errors import Forbidden, Invalid
from domain.run import Run
from domain.text import checked_id
from domain.version import Source, Version
from hansard.formats.bundle import peek
from hansard.formats.manifest import Manifest
from infra.bundle_reading.kinds import KIND_OF_MANIFEST
from infra.event_store import Session
from infra.file_store import FileStore


@dataclass(frozen=True, slots=True)
class Publication:
    """A version as somebody asks for it: code, bytes or both, and what is said of it."""

    id: str
    abstraction: str
    bundle: str | None
    receipt: str | None
    artifact: str | None
    aliases: Sequence[str]
    details: dict[str, Any]


async def store_bundle(
    services: Services, context: Context, guard: Guard, data: bytes
) -> dict[str, Any]:
    """Check a bundle and keep it; what is refused is not kept.

    Raises BundleError, Invalid, and what `find_below` raises.
    """
    _, manifest, signature = await _described(services, context, guard, data)
    digest, _ = await asyncio.to_thread(services.files.put, [data])
    return {"digest": digest, "manifest": asdict(manifest), "signature": signature}


async def read_source(
    services: Services, context: Context, guard: Guard, digest: str, kind: str
) -> Source:
    """What a version of this kind records of an uploaded bundle.

    Raises NotFound, Invalid for another kind of bundle, LockFailed, and what `find_below` raises.
    """
    data = await asyncio.to_thread(_content, services.files, digest)
    below, manifest, signature = await _described(services, context, guard, data)
    if KIND_OF_MANIFEST[manifest.kind] != kind:
        raise Invalid(f"the bundle holds a {manifest.kind}, not a {kind}", field="bundle")
    needed = list(manifest.requirements)
    lock = await services.locks.digest(needed)
    return Source(digest, manifest.entry, needed, lock, signature, below.base, below.layers)


async def _described(
    services: Services, context: Context, guard: Guard, data: bytes
) -> tuple[Below, Manifest, dict[str, Any]]:
    """What lies below a bundle, and its manifest and signature."""
    base = (await asyncio.to_thread(peek, data)).base
    below = await services.store.run(context, lambda session: find_below(session, guard, base))
    layers = [await asyncio.to_thread(_content, services.files, d) for d in below.layers]
    return below, *await asyncio.to_thread(services.bundles.read, data, layers)


def _content(files: FileStore, digest: str) -> bytes:
    with files.open(digest) as file:
        return file.read()


async def prepare(
    services: Services,
    caller: Subject,
    context: Context,
    guard: Guard,
    kind: str,
    asked: Publication,
) -> Source | None:
    """See to it that the caller may publish this, and read the code: locking it takes minutes.

    Raises NotFound for bytes that the caller may not read, and what `read_source` raises.
    """

    async def known(session: Session) -> bool:
        """Whether the version is there: a repeated request needs no bytes that can be read."""
        await guard.load(session, Abstraction, asked.abstraction, "publish", repeats=False)
        id_ = checked_id(asked.id, "version")
        return await session.find(Version, id_, repeats=False) is not None

    repeated = await services.store.run(context, known)
    if asked.artifact is not None and not repeated:
        await ArtifactReader(services, caller, context).artifact(asked.artifact)
    if asked.bundle is None:
        return None
    await require_bundle(services, caller, context, asked.bundle, asked.receipt)
    return await read_source(services, context, guard, asked.bundle, kind)


async def publish(
    session: Session, guard: Guard, asked: Publication, source: Source | None
) -> tuple[int, int]:
    """Add a version to an abstraction; answers its number and the position.

    Raises Conflict `artifact-attached` for bytes that belong to another version.
    """
    abstraction = await guard.load(
        session, Abstraction, asked.abstraction, "publish", repeats=False
    )
    already = await session.find(Version, checked_id(asked.id, "version"), repeats=False)
    abstraction.require_open()
    number = already.number if already else abstraction.add_version(asked.id)
    artifact = await _artifact(session, asked.artifact)
    version = Version.of(
        abstraction,
        asked.id,
        number,
        asdict(source) if source else None,
        origin={"run": artifact.run} if artifact and artifact.run else None,
        content=artifact.content if artifact else None,
        details=_details(asked, source),
    )
    if already:
        await session.refuse_repeated_creation(version)
    saved: list[Aggregate] = [version, abstraction]
    if artifact is not None:
        await _attach(session, guard, artifact, abstraction, version)
        saved.append(artifact)
    await _require_links(session, guard, version.details)
    if asked.aliases:
        abstraction.alias(dict.fromkeys(asked.aliases, number))
        await guard.require(session, abstraction, "update")
    return number, await session.save(*saved)


def _details(asked: Publication, source: Source | None) -> dict[str, Any]:
    """What is said of the version; the one that it extends is among those it was made of."""
    if source is None or source.base is None:
        return asked.details
    parents = dict.fromkeys([*(asked.details.get("parents") or []), source.base])
    return {**asked.details, "parents": list(parents)}


async def _artifact(session: Session, id_: str | None) -> Artifact | None:
    return None if id_ is None else await session.load(Artifact, id_, repeats=False)


async def _attach(
    session: Session, guard: Guard, artifact: Artifact, to: Abstraction, version: Version
) -> None:
    """Only of one's own bytes: whoever has them in a version can delete them.

    Raises Invalid for bytes of another project, Forbidden for others' and those in quarantine.
    """
    if not await _own(session, guard, artifact):
        detail = "these bytes are somebody else's: commit them once more, which sends nothing"
        raise Forbidden(detail, id=artifact.id)
    if artifact.project != to.project:
        raise Invalid("these bytes were committed in another project", field="artifact")
    if artifact.quarantined:
        await guard.require(session, to, "quarantine")
    artifact.attach(version.id)


async def _own(session: Session, guard: Guard, artifact: Artifact) -> bool:
    """Whether the caller committed it, or asked for the run that left it and has ended."""
    caller = guard.access.subject_id
    if artifact.run is None:
        return artifact.created_by == caller
    run = await session.load(Run, artifact.run, repeats=False)
    return run.ended and run.created_by == caller


async def _require_links(session: Session, guard: Guard, details: dict[str, Any]) -> None:
    """Raise NotFound unless the caller sees each version that this one was made of or with."""
    for id_ in details.get("parents", []):
        await guard.load(session, Version, id_, repeats=False)
    for id_ in details.get("data", []):
        found = await guard.load(session, Version, id_, repeats=False)
        if found.kind != "dataset":
            raise Invalid(f"{id_} is a version of a {found.kind}, not of a dataset", field="data")
