"""Files in and out: streamed to the store, and opened only to those who may read them."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable

from api.authentication import Subject
from api.services import Services
from domain.aggregate import Context
from domain.errors import NotFound
from domain.run import Run
from domain.text import kind_of
from domain.version import Version
from infra.event_store import Session
from infra.file_store import FileStore
from policies.access import Access
from projections.access.facts import CLASSES, facts_of
from projections.files import holders_of_file


async def receive(
    files: FileStore, digest: str, stream: AsyncIterator[bytes], check_space: Callable[[], None]
) -> int:
    """Store a stream under its digest; answers its size in bytes. Raises Invalid, StorageFull."""
    check_space()
    with files.upload() as upload:
        async for piece in stream:
            check_space()  # a large file can fill the disk by itself
            await asyncio.to_thread(upload.write, piece)
        await asyncio.to_thread(upload.commit, digest)
        return upload.size


async def require_readable(
    services: Services, caller: Subject, context: Context, digest: str
) -> None:
    """Raise NotFound unless the caller may read the file.

    A run reads its inputs, as long as who asked for it may use them.
    """
    if caller.run is not None:
        readable = await _is_input(services, caller.run, context, digest)
    else:
        caller.require_scope("read")
        readable = await may_read(services, caller, context, digest)
    if not readable:
        raise NotFound("there is no file with this digest", digest=digest)


async def require_bundle(
    services: Services, caller: Subject, context: Context, digest: str, given: str | None
) -> None:
    """Raise NotFound unless the caller has uploaded the bundle, or may read it: digests leak."""
    if given is not None and hmac.compare_digest(given, receipt(services, caller, digest)):
        return
    if not await may_read(services, caller, context, digest):
        raise NotFound("upload the bundle first: there is none with this digest", digest=digest)


def receipt(services: Services, caller: Subject, digest: str) -> str:
    """What shows that the caller has uploaded the content with this digest."""
    text = f"upload\n{caller.id}\n{digest}".encode()
    return hmac.digest(services.settings.secret.encode(), text, "sha256").hex()


async def may_read(services: Services, caller: Subject, context: Context, digest: str) -> bool:
    """Whether a version or run that the caller may see, by the record, shows the file."""
    access = await services.access(caller, context.time)

    def candidates() -> list[str]:
        versions, runs = access.listing("version"), access.listing("run")
        with services.pool.connection() as connection:
            return holders_of_file(connection, versions, runs, digest)

    async def command(session: Session) -> bool:
        return any([await _shows(session, access, id_, digest) for id_ in found])

    found = await asyncio.to_thread(candidates)
    return await services.store.run(context, command)


async def _shows(session: Session, access: Access, id_: str, digest: str) -> bool:
    """Whether an entity may be seen, and with it the field that names the file."""
    entity = await session.find(CLASSES[kind_of(id_)], id_, repeats=False)
    if entity is None:
        return False
    permit = access.permit(kind_of(id_), await facts_of(session, entity))
    if permit is None:
        return False
    if isinstance(entity, Version):
        source = entity.source or {}
        of_source = digest in (source.get("lock"), *bundles_of(entity))
        return ("source" if of_source else "artifacts") not in permit.masked
    return "lock" not in permit.masked


def bundles_of(version: Version) -> list[str]:
    """The digests of a version's code: its own, and what it extends."""
    source = version.source
    return [] if source is None else [source["bundle"], *source.get("layers", [])]


async def _is_input(services: Services, run_id: str, context: Context, digest: str) -> bool:
    """Whether a run fetches the file, and who asked for the run may still use what it is of."""

    async def command(session: Session) -> bool:
        run = await session.load(Run, run_id)
        asker = await services.authenticator.user(run.created_by, context)
        if asker is None or not asker.values["active"]:
            return False
        access = await services.access(asker, context.time)
        found = {run.lock}
        for id_ in [run.executor, *(slot["version"] for slot in run.slots.values())]:
            version = await session.load(Version, id_)
            if access.ruling("version", "use", await facts_of(session, version)).permitted:
                found |= {*bundles_of(version), *(a["digest"] for a in version.artifacts)}
        return digest in found

    return await services.store.run(context, command)
