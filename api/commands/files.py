"""Files in and out: streamed to the store, and opened only to those who may read them."""

import asyncio
from collections.abc import AsyncIterator, Callable

from api.authentication import Subject
from api.services import Services
from domain.abstraction import Version
from domain.aggregate import Context
from domain.errors import NotFound
from domain.run import Run
from infra.event_store import Session
from infra.file_store import FileStore
from policies.access import Access
from projections.files import may_read_file


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
    """Raise NotFound unless the caller may read the file: a run reads its own inputs."""
    if caller.run is not None:
        run_id = caller.run
        inputs = await services.store.run(context, lambda session: run_inputs(session, run_id))
        readable = digest in inputs
    else:
        caller.require_scope("read")
        access = await services.access(caller, context.time)
        readable = await asyncio.to_thread(_readable, services, access, digest)
    if not readable:
        raise NotFound("there is no file with this digest", digest=digest)


def _readable(services: Services, access: Access, digest: str) -> bool:
    versions, runs = access.listing("version"), access.listing("run")
    with services.pool.connection() as connection:
        return may_read_file(connection, versions, runs, digest)


async def run_inputs(session: Session, run_id: str) -> set[str]:
    """Digests of everything a run's step fetches: bundles, weights and the lock."""
    run = await session.load(Run, run_id)
    ids = [run.executor, *(slot["version"] for slot in run.slots.values())]
    found = {run.lock}
    for id_ in ids:
        version = await session.load(Version, id_)
        found.add(version.source["bundle"])
        found |= {str(artifact["digest"]) for artifact in version.artifacts}
    return found
