"""The artifact protocol in memory, for a node's tests: no rights, no record, no disk.

It takes what a launcher sends and hands it out again; what the platform decides on top of that is
tested with the platform.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hansard.formats.ids import new_id
from hansard.formats.objects import File, Kind, children, decode_leaf, decode_root
from hansard.formats.packs import Frame, read_frames
from tests.integration.artifacts import framed


@dataclass(slots=True)
class ArtifactBox:
    """Objects by name, roots by artifact. Paths that end in one of `refused` are not kept."""

    objects: dict[bytes, Frame] = field(default_factory=dict)
    roots: dict[str, bytes] = field(default_factory=dict)
    refused: tuple[str, ...] = ()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and content for a request below `/v1/`."""
        match method, *path.partition("?")[0].split("/"):
            case "POST", "uploads", _, "missing":
                names = [body[at : at + 32] for at in range(0, len(body), 32)]
                return 200, bytes(name in self.objects for name in names)
            case "PUT", "uploads", _, "packs":
                for frame in read_frames(body):
                    frame.content()
                    self.objects[frame.name] = frame
                return 201, b"{}"
            case "POST", "artifacts":
                return self._commit(json.loads(body))
            case "GET", "artifacts", id_, "layout" if id_ in self.roots:
                return 200, self._frames(self._nodes(self.roots[id_]))
            case "POST", "artifacts", id_, "get" if id_ in self.roots:
                return 200, self._frames([body[at : at + 32] for at in range(0, len(body), 32)])
        return 404, b"{}"

    def files(self, artifact: str) -> dict[str, bytes]:
        """The content of each file."""
        return {file.path: self._content(file) for file in self._files(self.roots[artifact])}

    def _commit(self, asked: Mapping[str, str]) -> tuple[int, bytes]:
        root = bytes.fromhex(asked["root"])
        files = self._files(root)
        bad = [{"path": f.path, "reason": "bad"} for f in files if f.path.endswith(self.refused)]
        if self.refused and bad:
            problem = {"type": "urn:hansard:problem:format-refused", "files": bad}
            detail = f"`{bad[0]['path']}` is not accepted: bad"
            return 422, json.dumps({**problem, "detail": detail}).encode()
        self.roots[asked["id"]] = root
        answer = {"root": asked["root"], "format": "text", "position": 1}
        return 201, json.dumps(answer).encode()

    def _raw(self, name: bytes) -> bytes:
        return bytes(self.objects[name].content())

    def _files(self, root: bytes) -> list[File]:
        leaves = decode_root(self._raw(root)).leaves
        return [file for leaf in leaves for file in decode_leaf(self._raw(leaf.name))]

    def _nodes(self, root: bytes) -> list[bytes]:
        leaves = [leaf.name for leaf in decode_root(self._raw(root)).leaves]
        parts = [part for file in self._files(root) for part in file.body]
        trees = [part.name for part in parts if part.kind is Kind.TREE]
        return [root, *leaves, *dict.fromkeys(trees)]

    def _content(self, file: File) -> bytes:
        pieces = []
        for part in file.body:
            raw = self._raw(part.name)
            of_tree = part.kind is Kind.TREE
            names = [c.name for c in children(Kind.TREE, raw)] if of_tree else [part.name]
            pieces += [self._raw(name) for name in names]
        return b"".join(pieces)[file.offset : file.offset + file.size]

    def _frames(self, names: list[bytes]) -> bytes:
        frames = [self.objects[name] for name in names]
        return b"".join(frame.header + bytes(frame.payload) for frame in frames)


def content_of(box: ArtifactBox, files: Mapping[str, bytes]) -> dict[str, Any]:
    """What a version with these files would say of them; the box has them then."""
    root, body = framed(files)
    id_ = new_id("artifact")
    for frame in read_frames(body):
        box.objects[frame.name] = frame
    box.roots[id_] = root
    size = sum(map(len, files.values()))
    return {
        "artifact": id_,
        "root": root.hex(),
        "size": size,
        "files": len(files),
        "format": "text",
    }
