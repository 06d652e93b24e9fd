"""The artifact protocol spoken by hand: objects that lie, every door to bytes, real sockets."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import uvicorn

from api.main import create_app, listen
from hansard.artifacts.assembling import Assembled, assemble, local_files
from hansard.artifacts.link import Link
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
    encode_tree,
    name_of,
)
from hansard.formats.packs import Frame, read_frames
from tests.integration.artifacts import registered
from tests.integration.people import Person, done
from tests.integration.platform import Platform


def framed(kind: Kind, raw: bytes) -> Frame:
    """An object as it is sent."""
    codec, payload = encode(raw)
    return Frame(name_of(kind, raw), kind, codec, len(raw), payload)


def wire(frames: Sequence[Frame]) -> bytes:
    """Frames behind one another."""
    return b"".join(frame.header + bytes(frame.payload) for frame in frames)


def ref(frame: Frame, size: int | None = None) -> Ref:
    """Points at a frame."""
    return Ref(frame.kind, frame.name, frame.raw if size is None else size)


@dataclass(slots=True)
class Made:
    """An artifact made by hand: files of small pieces, and every frame of it."""

    files: dict[str, bytes] = field(default_factory=dict)
    frames: list[Frame] = field(default_factory=list)
    records: list[File] = field(default_factory=list)

    def add(self, path: str, *contents: bytes, tree: bool = False) -> "Made":
        """A file of these pieces, below a tree or named directly."""
        pieces = [framed(Kind.PIECE, content) for content in contents]
        body = tuple(map(ref, pieces))
        whole = b"".join(contents)
        self.frames += pieces
        if tree:
            node = framed(Kind.TREE, encode_tree(body))
            self.frames.append(node)
            body = (ref(node, len(whole)),)
        self.files[path] = whole
        self.records.append(File(path, len(whole), Cut.CONTENT, body))
        return self

    def leaf(self) -> Frame:
        """The leaf of all files."""
        return framed(Kind.LEAF, encode_leaf([encode_file(file) for file in self.records]))

    def finished(self, leaf: Frame | None = None, **lies: Any) -> tuple[bytes, list[Frame]]:
        """The root's name and all frames, the root last; `lies` replace members of the root."""
        leaf = leaf or self.leaf()
        size = sum(map(len, self.files.values()))
        top = {"size": size, "files": len(self.files), "leaves": (ref(leaf),), **lies}
        root = framed(Kind.ROOT, encode_root(Root(**top)))
        return root.name, [*self.frames, leaf, root]


async def send(person: Person, upload: str, body: bytes | Sequence[Frame]) -> httpx.Response:
    """Send frames."""
    content = body if isinstance(body, bytes) else wire(body)
    headers = {"Authorization": f"Bearer {person.token}"}
    path = f"/v1/uploads/{upload}/packs"
    return await person.http.put(path, content=content, headers=headers)


async def ask(person: Person, names: Sequence[bytes], **asked: Any) -> list[bool]:
    """Which of the names need not be sent, as this person is told."""
    answer = await asked_for(person, b"".join(names), **asked)
    assert answer.status_code == 200, answer.text
    return [bool(each) for each in answer.content]


async def asked_for(
    person: Person, body: Any, upload: str | None = None, like: str = ""
) -> httpx.Response:
    """Ask with any body."""
    headers = {"Authorization": f"Bearer {person.token}"}
    path = f"/v1/uploads/{upload or new_id('upload')}/missing"
    params = {"like": like} if like else {}
    return await person.http.post(path, content=body, headers=headers, params=params)


async def get(person: Person, artifact: str, names: Sequence[bytes]) -> httpx.Response:
    """Fetch objects of an artifact."""
    headers = {"Authorization": f"Bearer {person.token}"}
    path = f"/v1/artifacts/{artifact}/get"
    return await person.http.post(path, content=b"".join(names), headers=headers)


def contents(answer: httpx.Response) -> list[bytes]:
    """The content of the objects of an answer, each checked."""
    assert answer.status_code == 200, answer.text
    return [bytes(frame.content()) for frame in read_frames(answer.content)]


async def keep(
    person: Person, upload: str, root: bytes, to: str | None, **more: Any
) -> httpx.Response:
    """Commit a root."""
    body = {"id": new_id("artifact"), "upload": upload, "root": root.hex(), "to": to, **more}
    return await person.call("POST", "/artifacts", body)


async def every_door(person: Person, artifact: str, made: Made) -> set[int]:
    """The status of each way to the bytes of an artifact."""
    _, frames = made.finished()
    answers = [
        await person.call("GET", f"/artifacts/{artifact}/layout"),
        await person.call("GET", f"/artifacts/{artifact}/files"),
        await get(person, artifact, [frame.name for frame in frames]),
    ]
    for path in made.files:
        place = f"/artifacts/{artifact}/files/{path}"
        answers.append(await person.call("GET", place))
        answers.append(await person.call("GET", place, headers={"Range": "bytes=0-1"}))
    return {answer.status_code for answer in answers}


def weights(path: Path, megabytes: int) -> Path:
    """A safetensors file of one tensor, of content that nobody else has."""
    size = megabytes << 20
    told = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
    header = json.dumps({uuid4().hex: told}).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for _ in range(megabytes):
            file.write(os.urandom(1 << 20))
    return path


def assembled(place: Path) -> Assembled:
    """What an upload of a file or folder would send."""
    return assemble(local_files(place), None)


def made() -> Made:
    """Content that nobody else has."""
    pieces = [f"{n},{uuid4().hex}\n".encode() * 9 for n in range(5)]
    return Made().add("a.csv", *pieces[:4], tree=True).add("b.csv", pieces[4])


class Kept:
    """A version of a model of somebody's, with bytes."""

    def __init__(self, owner: Person, model: str, artifact: str, made: Made) -> None:
        self.owner, self.model, self.artifact, self.made = owner, model, artifact, made
        self.root, self.frames = made.finished()
        self.names = [frame.name for frame in self.frames]

    async def share(self, **sharing: Any) -> None:
        """Share the model, or end that."""
        done(await self.owner.call("PUT", f"/models/{self.model}/sharing", sharing))


async def kept(owner: Person, content: Made | None = None, path: str = "models") -> Kept:
    """Publish bytes."""
    content = content or made()
    model = await registered(owner, path)
    root, frames = content.finished()
    upload = new_id("upload")
    done(await send(owner, upload, frames))
    artifact = str(done(await keep(owner, upload, root, model))["id"])
    done(await owner.call("POST", f"/{path}/{model}/versions", {"artifact": artifact}))
    return Kept(owner, model, artifact, content)


@dataclass(frozen=True, slots=True)
class Served:
    """The application of a platform behind a real socket, which closes idle connections soon."""

    url: str
    links: list[Link] = field(default_factory=list)

    def link(self, person: Person, **more: Any) -> Link:
        """A client's connections in a person's name, closed when the server is."""
        self.links.append(Link(self.url, person.token, **more))
        return self.links[-1]


@asynccontextmanager
async def served(
    platform: Platform, *, keep_alive_s: int = 5, port: int = 0
) -> AsyncIterator[Served]:
    """Serve on the loop of the test, which must call clients in threads."""
    listener: socket.socket = listen(
        platform.settings.model_copy(update={"host": "127.0.0.1", "port": port})
    )
    config = uvicorn.Config(
        create_app(platform.services),
        log_config=None,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=keep_alive_s,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    found = Served(f"http://127.0.0.1:{listener.getsockname()[1]}")
    try:
        yield found
    finally:
        for link in found.links:
            link.close()
        server.should_exit = True
        await serving
        listener.close()
