"""Bundles and files by digest."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, status
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.commands.files import receipt, receive, require_readable
from api.commands.versions import store_bundle
from api.dependencies import ContextOf, GuardOf, ServicesOf, SubjectOf, UserOf

router = APIRouter()

Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the content")]

_PIECE = 1 << 20


@router.post("/bundles", status_code=status.HTTP_201_CREATED, tags=["bundles"])
async def upload_bundle(
    request: Request, services: ServicesOf, caller: UserOf, guard: GuardOf, context: ContextOf
) -> dict[str, Any]:
    """Check and keep a packed bundle; answers its digest, manifest and signature.

    The `receipt` shows that you have the content, and lets you publish it. A bundle that extends a
    version is read with what it extends, which you must be allowed to use.
    """
    guard.require_scope("version", "publish")
    services.check_space()
    kept = await store_bundle(services, context, guard, await request.body())
    return {**kept, "receipt": receipt(services, caller, kept["digest"])}


@router.put("/files/{digest}", status_code=status.HTTP_201_CREATED, tags=["files"])
async def put_file(
    digest: Digest, request: Request, services: ServicesOf, caller: SubjectOf
) -> dict[str, Any]:
    """Store a file under its digest."""
    caller.require_scope("write")
    size = await receive(services.files, digest, request.stream(), services.check_space)
    return {"digest": digest, "size": size}


@router.get("/files/{digest}", tags=["files"])
async def get_file(
    digest: Digest, services: ServicesOf, caller: SubjectOf, context: ContextOf
) -> StreamingResponse:
    """A file of a version or run that you may see. A run's token opens that run's inputs only."""
    await require_readable(services, caller, context, digest)
    file = await run_in_threadpool(services.files.open, digest)

    def pieces() -> Iterator[bytes]:
        with file:
            while piece := file.read(_PIECE):
                yield piece

    return StreamingResponse(pieces(), media_type="application/octet-stream")
