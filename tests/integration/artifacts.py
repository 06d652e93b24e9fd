"""Small artifacts over HTTP, built from the formats alone, and versions that are made of them."""

from collections.abc import Awaitable, Mapping
from typing import Any
from uuid import uuid4

import httpx

from hansard.formats.codec import encode
from hansard.formats.ids import new_id
from hansard.formats.objects import (
    Cut,
    File,
    Kind,
    Ref,
    Root,
    encode_file,
    encode_leaf,
    encode_root,
    name_of,
)
from hansard.formats.packs import Frame
from tests.integration.governing import latest
from tests.integration.people import Person, code_of, done
from tests.integration.platform import Platform
from tests.integration.pushing import kept_files


def some_files() -> dict[str, bytes]:
    """Content that nobody else has."""
    return {"data.csv": f"id,label\n1,{uuid4().hex}\n".encode()}


def framed(files: Mapping[str, bytes]) -> tuple[bytes, bytes]:
    """The root of small files, and the frames of all objects."""
    frames, records = [], []
    for path, content in sorted(files.items()):
        piece = _frame(Kind.PIECE, content)
        parts = (Ref(Kind.PIECE, piece.name, len(content)),)
        frames.append(piece)
        records.append(encode_file(File(path, len(content), Cut.FIXED, parts)))
    raw = encode_leaf(records)
    leaf = _frame(Kind.LEAF, raw)
    size = sum(map(len, files.values()))
    leaves = (Ref(Kind.LEAF, leaf.name, len(raw)),)
    root = _frame(Kind.ROOT, encode_root(Root(size, len(files), leaves)))
    body = b"".join(f.header + bytes(f.payload) for f in [*frames, leaf, root])
    return root.name, body


def _frame(kind: Kind, raw: bytes) -> Frame:
    codec, payload = encode(raw)
    return Frame(name_of(kind, raw), kind, codec, len(raw), payload)


async def commit(
    person: Person, to: str | None, files: Mapping[str, bytes] | None = None, **more: Any
) -> httpx.Response:
    """Send files for a model or dataset, or of a run for none, and commit them."""
    root, frames = framed(files or some_files())
    upload = new_id("upload")
    headers = {"Authorization": f"Bearer {person.token}"}
    sent = await person.http.put(f"/v1/uploads/{upload}/packs", content=frames, headers=headers)
    assert sent.status_code == 201, sent.text
    body = {"id": new_id("artifact"), "upload": upload, "root": root.hex(), "to": to, **more}
    return await person.call("POST", "/artifacts", body)


async def an_artifact(
    person: Person, to: str | None, files: Mapping[str, bytes] | None = None, **more: Any
) -> str:
    """The id of a committed artifact."""
    return str(done(await commit(person, to, files, **more))["id"])


async def registered(person: Person, path: str, **sharing: Any) -> str:
    """A model or dataset of this person's, shared as given."""
    body = {"name": f"name {uuid4().hex[:12]}"}
    id_ = str(done(await person.call("POST", f"/{path}", body))["id"])
    if sharing:
        done(await person.call("PUT", f"/{path}/{id_}/sharing", sharing))
    return id_


async def published(person: Person, path: str, of: str, **more: Any) -> dict[str, Any]:
    """The answer to publishing a new artifact as a version."""
    body = {"artifact": await an_artifact(person, of), **more}
    return done(await person.call("POST", f"/{path}/{of}/versions", body))


async def given_role(person: Person, project: str, role: str = "contributor") -> None:
    """By the first administrator."""
    path = f"/v1/users/{person.id}/roles/{project}"
    done(await person.http.put(path, json={"role": role}))


async def read(platform: Platform, person: Person, path: str, **asked: Any) -> dict[str, Any]:
    """What a person is answered after everything that was written is folded."""
    params = {**await latest(platform), **asked}
    return done(await person.call("GET", path, params=params))


async def topics_after(platform: Platform, position: int) -> list[str]:
    """What was recorded since."""
    return [m.topic for m in await platform.services.log.read_after(position, 100)]


async def nothing_stored(
    platform: Platform, request: Awaitable[httpx.Response], status: int
) -> str:
    """The code of a refusal that stored no event and no file."""
    before = (kept_files(platform), await platform.services.log.last())
    answer = await request
    code = code_of(answer, status)
    assert (kept_files(platform), await platform.services.log.last()) == before
    return code


async def meant(platform: Platform, person: Person, model: str, **asked: Any) -> list[int]:
    """Numbers of the versions of a model that a list answers."""
    found = await read(platform, person, f"/models/{model}/versions", **asked)
    return [item["number"] for item in found["items"]]
