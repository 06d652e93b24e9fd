"""Artifacts in: what is missing, frames, and the commit that makes a root an event."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from api.access.artifacts import ArtifactReader
from api.access.guard import Guard, missing
from api.authentication import Subject
from api.services import Services
from domain.abstraction import Abstraction
from domain.aggregate import Context
from domain.artifact import Artifact
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.run import Run
from domain.text import checked_id, kind_of
from hansard.formats.codec import Buffer
from hansard.formats.objects import NAME_BYTES, ObjectError
from infra.artifacts.closure import Checked, Incomplete
from infra.artifacts.formats import NotYetExamined, Refused
from infra.artifacts.reading import ObjectsMissing
from infra.event_store import Session

MAX_NAMES = 65_536
_HOLDERS = ("model", "dataset")
_COMMITS_AT_ONCE = asyncio.Semaphore(2)


@dataclass(frozen=True, slots=True)
class Commit:
    """A root to commit: for a model or dataset of the caller's, or by a run."""

    id: str
    upload: str
    root: bytes
    to: str | None
    quarantine: bool
    like: Sequence[str] = ()


async def missing_names(
    services: Services,
    caller: Subject,
    context: Context,
    upload: str,
    body: bytes,
    like: Sequence[str],
) -> bytes:
    """For each 32-byte name in the body one byte: 1 where it need not be sent, else 0.

    Raises Invalid for a body that is no list of names, NotFound for somebody else's upload.
    """
    count, rest = divmod(len(body), NAME_BYTES)
    if rest or not 0 < count <= MAX_NAMES:
        raise Invalid(f"the body is 1 to {MAX_NAMES} names of 32 bytes each", field="body")
    names = [body[at : at + NAME_BYTES] for at in range(0, len(body), NAME_BYTES)]
    await _own_upload(services, caller, upload)
    own, others = await asyncio.to_thread(services.artifacts.split, upload, set(names))
    if others:
        reachable = await ArtifactReader(services, caller, context).reachable(others, like)
        await asyncio.to_thread(services.artifacts.protect, upload, reachable)
        own |= reachable
    return bytes(name in own for name in names)


async def receive_frames(services: Services, caller: Subject, upload: str, body: Buffer) -> None:
    """Keep frames. What the store grew by is not told: it would say what others have.

    Raises Invalid, NotFound.
    """
    await _own_upload(services, caller, upload)
    try:
        await asyncio.to_thread(services.artifacts.receive, upload, body)
    except ObjectError as error:
        raise Invalid(str(error), code="bad-object") from None


async def commit_for_user(
    services: Services, caller: Subject, context: Context, guard: Guard, asked: Commit
) -> dict[str, Any]:
    """Commit bytes for a model or dataset that the caller may publish versions of."""
    if asked.to is None or kind_of(asked.to) not in _HOLDERS:
        raise Invalid("say for which model or dataset: `to`", field="to")
    to, action = asked.to, "quarantine" if asked.quarantine else "publish"

    async def permitted(session: Session) -> str:
        found = await guard.load(session, Abstraction, to, "publish", repeats=False)
        if asked.quarantine:
            await guard.require(session, found, action)
        found.require_open()
        return str(found.project)

    project = await services.store.run(context, permitted)
    return await _commit(services, caller, context, asked, project, None)


async def commit_for_run(
    services: Services, caller: Subject, context: Context, asked: Commit
) -> dict[str, Any]:
    """Commit bytes that the caller, a run, leaves. Raises Forbidden for quarantine."""
    if asked.quarantine:
        raise Forbidden("a run puts nothing into quarantine")

    async def project_of(session: Session) -> str:
        return str((await session.load(Run, str(caller.run), repeats=False)).project)

    project = await services.store.run(context, project_of)
    return await _commit(services, caller, context, asked, project, caller.run)


async def _commit(
    services: Services,
    caller: Subject,
    context: Context,
    asked: Commit,
    project: str,
    run: str | None,
) -> dict[str, Any]:
    checked_id(asked.id, "artifact")
    await _own_upload(services, caller, asked.upload)
    async with _COMMITS_AT_ONCE, _committing(services):
        checked, format_ = await _checked(services, caller, context, asked)
        artifact = Artifact.commit(
            asked.id,
            project=project,
            root=asked.root.hex(),
            size=checked.root.size,
            files=checked.root.files,
            format_=format_,
            run=run,
            quarantined=asked.quarantine,
        )
        position = await services.store.run(context, lambda session: session.save(artifact))
    content = {"size": checked.root.size, "files": checked.root.files, "format": format_}
    return {"id": asked.id, "position": position, "root": asked.root.hex(), **content}


@asynccontextmanager
async def _committing(services: Services) -> AsyncIterator[None]:
    """No collection between the check and the event; waiting for one is done in a thread."""
    held = services.artifacts.committing()
    await asyncio.to_thread(held.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(held.__exit__, None, None, None)


async def _checked(
    services: Services, caller: Subject, context: Context, asked: Commit
) -> tuple[Checked, str]:
    """The closure of the root, and its format. Raises Conflict `objects-missing`, Invalid."""
    loop = asyncio.get_running_loop()
    reader = ArtifactReader(services, caller, context)

    def reachable(names: set[bytes]) -> set[bytes]:
        """The walk goes on in a thread, while the record is asked on the loop."""
        found = asyncio.run_coroutine_threadsafe(reader.reachable(names, asked.like), loop)
        return found.result()

    def check() -> tuple[Checked, str, list[Refused]]:
        checked = services.artifacts.check(asked.upload, asked.root, reachable)
        if asked.quarantine:
            services.artifacts.check_unseen(checked)
            return checked, "quarantined", []
        return checked, *services.artifacts.examine(checked)

    try:
        checked, format_, refused = await asyncio.to_thread(check)
    except (Incomplete, ObjectsMissing) as error:
        names = [name.hex() for name in error.names[:MAX_NAMES]]
        detail = f"{len(names)} objects must be sent first"
        raise Conflict(detail, code="objects-missing", missing=names) from None
    except NotYetExamined:
        detail = "there are many files to look into: ask again, it goes on where it was"
        raise Conflict(detail, code="inspecting") from None
    except ObjectError as error:
        raise Invalid(str(error), code="bad-object") from None
    if refused:
        raise Invalid(
            f"`{refused[0].path}` is not accepted: {refused[0].reason}",
            code="format-refused",
            files=[{"path": each.path, "reason": each.reason} for each in refused],
        )
    return checked, format_


async def _own_upload(services: Services, caller: Subject, upload: str) -> None:
    checked_id(upload, "upload")
    if not await asyncio.to_thread(services.artifacts.open_upload, upload, caller.id):
        raise NotFound(f"there is no upload {upload}", id=upload)


async def give_up(
    services: Services, caller: Subject, context: Context, id_: str, reason: str
) -> int:
    """Delete an artifact of the caller's that is in no version; answers the position.

    Raises NotFound, Conflict `artifact-attached` and what `Artifact.delete` raises.
    """

    async def command(session: Session) -> int:
        artifact = await session.find(Artifact, id_)
        if artifact is None or artifact.created_by != caller.id or artifact.run is not None:
            raise missing(id_)
        if artifact.attached_to is not None:
            raise Conflict("a version holds these bytes: delete that", code="artifact-attached")
        artifact.delete(reason, context.time)
        return await session.save(artifact)

    return await services.store.run(context, command)
