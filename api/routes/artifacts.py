"""Artifacts: uploads by what is missing, downloads by name. docs/artifacts.md has the protocol."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response, status
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from api.access.artifacts import ArtifactReader
from api.access.guard import missing
from api.bulk_body import whole_body
from api.commands import artifacts as commands
from api.dependencies import ContextOf, FreshGuardOf, ServicesOf, SubjectOf
from api.routes.bodies import Because, Body, Id, Written
from api.services import Services
from domain.artifact import Artifact
from domain.errors import Invalid, NotFound
from hansard.formats.objects import NAME_BYTES, File
from hansard.formats.packs import FRAME
from infra.artifacts.reading import ObjectsMissing

router = APIRouter(tags=["artifacts"])

FRAMES = "application/vnd.hansard.frames"
_AHEAD_BYTES = 4 << 20
_PACKS_AT_ONCE = asyncio.Semaphore(6)
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")

UploadId = Annotated[str, Path(max_length=64, description="upload-<uuid>, made by the client")]
Like = Annotated[
    str | None, Query(max_length=1024, description="artifacts that may hold the same, by comma")
]


class NewArtifact(Body):
    """A root whose objects were uploaded, to be kept."""

    id: Id
    upload: Id
    root: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    to: Id | None = Field(None, description="the model or dataset it is for; a run says none")
    quarantine: bool = Field(False, description="keep what is refused otherwise, unserved")
    like: Annotated[list[Id], Field(max_length=16)] = []


async def reading(services: ServicesOf, caller: SubjectOf, context: ContextOf) -> ArtifactReader:
    """Decides what the caller may read. Raises Forbidden for a token without the scope."""
    caller.require_scope("read")
    return ArtifactReader(services, caller, context)


ReaderOf = Annotated[ArtifactReader, Depends(reading)]


async def readable(id_: str, reader: ReaderOf) -> Artifact:
    """The artifact of the path, if the caller may read it. Raises NotFound."""
    return await reader.artifact(id_)


ReadableOf = Annotated[Artifact, Depends(readable)]


@router.post("/uploads/{upload}/missing")
async def ask_missing(
    upload: UploadId,
    request: Request,
    services: ServicesOf,
    caller: SubjectOf,
    context: ContextOf,
    like: Like = None,
) -> Response:
    """Names of 32 bytes in, one byte for each out: 1 need not be sent, 0 must be.

    What you may not read is missing, whoever has it.
    """
    caller.require_scope("write")
    hints = like.split(",") if like else []
    body = await request.body()
    services.ask_limits.spend(caller.id, len(body))
    answer = await commands.missing_names(services, caller, context, upload, body, hints)
    return Response(answer, media_type="application/octet-stream")


@router.put("/uploads/{upload}/packs", status_code=status.HTTP_201_CREATED)
async def put_frames(
    upload: UploadId, request: Request, services: ServicesOf, caller: SubjectOf
) -> dict[str, int]:
    """Frames of at most 32 MiB in all; each is checked against its name. Repeating is harmless."""
    caller.require_scope("write")
    services.check_space()
    async with _PACKS_AT_ONCE:  # each is in memory as a whole
        body = await whole_body(request)
        await commands.receive_frames(services, caller, upload, body)
    return {"received": len(body)}


@router.post("/artifacts", status_code=status.HTTP_201_CREATED)
async def commit(
    body: NewArtifact,
    services: ServicesOf,
    caller: SubjectOf,
    context: ContextOf,
    make_guard: FreshGuardOf,
) -> dict[str, Any]:
    """Keep a root: whole, harmless by content, of what you sent or may read."""
    caller.require_scope("write")
    asked = commands.Commit(
        body.id, body.upload, bytes.fromhex(body.root), body.to, body.quarantine, body.like
    )
    if caller.run is not None:
        return await commands.commit_for_run(services, caller, context, asked)
    guard = await make_guard()
    return await commands.commit_for_user(services, caller, context, guard, asked)


@router.delete("/artifacts/{id_}")
async def delete_artifact(
    id_: str, body: Because, services: ServicesOf, caller: SubjectOf, context: ContextOf
) -> Written:
    """Give up bytes that one committed and that belong to no version; a run's stay with it."""
    caller.require_scope("write")
    position = await commands.give_up(services, caller, context, id_, body.reason)
    return Written(id=id_, position=position)


@router.get("/artifacts/{id_}/layout")
async def get_layout(
    artifact: ReadableOf,
    services: ServicesOf,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The root, the leaves and the trees as frames: how the artifact is made of pieces."""
    headers = {"ETag": f'"{artifact.root}"'}
    if if_none_match == headers["ETag"]:
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    root = bytes.fromhex(artifact.root)

    with _present(artifact):
        found = await run_in_threadpool(services.artifacts.layout, root)
    body = b"".join(part for frame in found for part in (frame.header, frame.payload))
    return Response(body, media_type=FRAMES, headers=headers)


@router.post("/artifacts/{id_}/get")
async def get_objects(artifact: ReadableOf, request: Request, services: ServicesOf) -> Response:
    """Names of 32 bytes in, their frames out, in the order in which they lie on the disk."""
    body = await request.body()
    count, rest = divmod(len(body), NAME_BYTES)
    if rest or not 0 < count <= commands.MAX_NAMES:
        detail = f"the body is 1 to {commands.MAX_NAMES} names of 32 bytes each"
        raise Invalid(detail, field="body")
    names = {body[at : at + NAME_BYTES] for at in range(0, len(body), NAME_BYTES)}
    root = bytes.fromhex(artifact.root)
    if names != await run_in_threadpool(services.artifacts.held, root, names):
        raise missing(artifact.id)
    with _present(artifact):
        planned = await run_in_threadpool(services.artifacts.plan, names)
    length = sum(FRAME.size + place.stored for place in planned)
    return StreamingResponse(
        _read_ahead(services.artifacts.wire(planned)),
        media_type=FRAMES,
        headers={"Content-Length": str(length)},
    )


@router.get("/artifacts/{id_}/files")
async def list_files(
    artifact: ReadableOf,
    services: ServicesOf,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    after: Annotated[str, Query(max_length=1024, description="the last path seen")] = "",
) -> dict[str, Any]:
    """The files, by path."""
    files = await _files(services, artifact)
    rest = [file for file in files if file.path.encode() > after.encode()]
    items = [{"path": f.path, "size": f.size, "digest": f.digest.hex()} for f in rest[:limit]]
    return {"items": items, "next_after": items[-1]["path"] if len(rest) > limit else None}


@router.get("/artifacts/{id_}/files/{path:path}")
async def get_file(
    artifact: ReadableOf,
    path: str,
    services: ServicesOf,
    range_: Annotated[str | None, Header(alias="range")] = None,
) -> Response:
    """One file, or a range of it, decoded here: for browsers and other tools."""
    file = next((f for f in await _files(services, artifact) if f.path == path), None)
    if file is None:
        raise missing(artifact.id)
    asked = _asked(range_, file.size)
    start, end = asked or (0, file.size)
    headers = {
        "ETag": f'"{file.digest.hex()}"',
        "Accept-Ranges": "bytes",
        "Content-Length": str(end - start),
        "Content-Disposition": "attachment",
        "X-Content-Type-Options": "nosniff",
    }
    if asked is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    return StreamingResponse(
        services.artifacts.pieces(file, start, end - start),
        status_code=200 if asked is None else status.HTTP_206_PARTIAL_CONTENT,
        media_type="application/octet-stream",
        headers=headers,
    )


async def _files(services: Services, artifact: Artifact) -> list[File]:
    with _present(artifact):
        return await run_in_threadpool(services.artifacts.files, bytes.fromhex(artifact.root))


@contextmanager
def _present(artifact: Artifact) -> Iterator[None]:
    """What the store lacks, damaged as it may be, is not found."""
    try:
        yield
    except ObjectsMissing:
        detail = "some of these bytes are missing or damaged: whoever has them can send them again"
        raise NotFound(detail, code="damaged", id=artifact.id) from None


def _asked(range_: str | None, size: int) -> tuple[int, int] | None:
    """The stretch that a Range header asks for; None for other headers, which are ignored.

    Raises Invalid where there is none of it.
    """
    found = _RANGE.fullmatch(range_) if range_ else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, end = max(0, size - int(found[2])), size
    else:
        start, end = int(found[1]), min(size, int(found[2] or size) + 1)
    if start >= end:
        raise Invalid("nothing of the file lies in this range", code="range", size=size)
    return start, end


async def _read_ahead(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks; a few are read in a thread while those before them are sent."""

    def some() -> list[bytes]:
        found: list[bytes] = []
        size = 0
        for chunk in chunks:
            found.append(chunk)
            size += len(chunk)
            if size >= _AHEAD_BYTES:
                break
        return found

    coming = asyncio.create_task(asyncio.to_thread(some))
    while ready := await coming:
        coming = asyncio.create_task(asyncio.to_thread(some))
        for chunk in ready:
            yield chunk
