"""Sends what the platform lacks of an artifact, and has it committed.

Asks from the top down what is missing, sends packs over two connections while the next ones are
read, and can be interrupted anywhere: what has arrived is not missing any more.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from hansard.artifacts.assembling import Assembled, Source, add_scanned
from hansard.artifacts.clusters import read_small
from hansard.artifacts.link import Buffer, Link
from hansard.artifacts.scanning import FileChanged, Scanner
from hansard.client_errors import Conflict
from hansard.formats.codec import Codec, encode
from hansard.formats.ids import new_id
from hansard.formats.objects import Kind, decode_leaf, decode_tree
from hansard.formats.packs import FRAME

PACK_BYTES = 16 << 20
_SENDERS = 5
_MAX_NAMES = 65_536
_WORTH_PACKING = 8 << 20
_COMMITS = 3


@dataclass(frozen=True, slots=True)
class Committed:
    """An artifact that the platform keeps; sizes in bytes, `sent` is what went over the wire."""

    id: str
    root: str
    size: int
    files: int
    format: str
    sent: int
    position: int = 0


@dataclass(slots=True)
class Pace:
    """What pays: to send content as it is, or smaller. Rates in bytes a second, as measured."""

    encoding: float = 300e6
    link: float = 1e9
    small: bool = False
    local: bool = False

    @property
    def smaller(self) -> bool:
        """Whether encoding is faster than the link, or there is too little to matter."""
        return self.small or (not self.local and self.link < self.encoding)

    def encoded(self, bytes_: int, seconds: float) -> None:
        """Take in how fast content was encoded."""
        self.encoding = 0.5 * self.encoding + 0.5 * _SENDERS * bytes_ / max(seconds, 1e-6)

    def sent(self, bytes_: int, seconds: float) -> None:
        """Take in how fast a pack went."""
        self.link = 0.5 * self.link + 0.5 * _SENDERS * bytes_ / max(seconds, 1e-6)


@dataclass(slots=True)
class Upload:
    """One artifact on its way. `like` names artifacts that may hold the same content."""

    link: Link
    artifact: Assembled
    like: Sequence[str] = ()
    on_progress: Callable[[int], None] = lambda _: None
    id: str = field(default_factory=lambda: new_id("upload"))
    sent: int = 0
    _pace: Pace = field(default_factory=Pace)
    _done: set[bytes] = field(default_factory=set)

    def run(self, to: str | None, *, quarantine: bool = False) -> Committed:
        """Send and commit. Raises Refused, Unreachable, FileChanged, OSError."""
        id_ = new_id("artifact")
        for left in reversed(range(_COMMITS)):
            self._send(self._wanted())
            try:
                return self._commit(id_, to, quarantine=quarantine)
            except Conflict as error:
                if error.code != "objects-missing" or not left:
                    raise
                self._done.clear()  # something was lost or collected meanwhile
        raise AssertionError("the last attempt returns or raises")

    def _commit(self, id_: str, to: str | None, *, quarantine: bool) -> Committed:
        body: dict[str, Any] = {
            "id": id_,
            "upload": self.id,
            "root": self.artifact.root.hex(),
            "to": to,
            "quarantine": quarantine,
            "like": list(self.like),
        }
        answer = self._asked_to_keep(body)
        if answer.get("repeated"):  # the first answer was lost on its way
            answer |= {"root": body["root"], "format": ""}
        return Committed(
            id=id_,
            root=answer["root"],
            size=self.artifact.size,
            files=self.artifact.files,
            format=answer["format"],
            sent=self.sent,
            position=answer["position"],
        )

    def _asked_to_keep(self, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a commit; where there is much to look into, it is asked again."""
        while True:
            try:
                answer: dict[str, Any] = self.link.json("POST", "/v1/artifacts", body)
            except Conflict as error:
                if error.code != "inspecting":
                    raise
            else:
                return answer

    def _wanted(self) -> list[bytes]:
        """What is missing, pieces first: asked from the top, only below what is missing."""
        found = self.artifact
        few = len(found.leaves) == 1
        parts = self._parts(found.leaves) if few else {}
        top = self._missing([found.root, *found.leaves, *parts])
        if found.root not in top:
            return []
        leaves = [name for name in found.leaves if name in set(top)]
        if not few:
            parts = self._parts(leaves)
            top = self._missing(parts)
        lacking = [name for name in top if name in parts]
        if not self._are_read(lacking):
            self._rescan(found.by_path.keys() - found.scanned)
        trees = [name for name in lacking if parts[name] is Kind.TREE]
        pieces = {name: None for name in lacking if parts[name] is Kind.PIECE}
        inner = (p.name for name in trees for p in decode_tree(found.nodes[name][1]))
        pieces |= dict.fromkeys(self._missing(name for name in inner if name not in pieces))
        return [*pieces, *trees, *leaves, found.root]

    def _are_read(self, names: Iterable[bytes]) -> bool:
        """Whether their content is known, and not only remembered by name."""
        found = self.artifact
        return all(name in found.sources or name in found.nodes for name in names)

    def _parts(self, leaves: Iterable[bytes]) -> dict[bytes, Kind]:
        """The pieces and trees that the files of leaves name."""
        nodes = self.artifact.nodes
        return {
            part.name: part.kind
            for leaf in leaves
            for file in decode_leaf(nodes[leaf][1])
            for part in file.body
        }

    def _rescan(self, paths: Iterable[str]) -> None:
        with Scanner() as scanner:
            for path in paths:
                add_scanned(self.artifact, scanner.scan(self.artifact.by_path[path], path))

    def _missing(self, names: Iterable[bytes]) -> list[bytes]:
        """Those that the platform says must be sent."""
        wanted = [name for name in dict.fromkeys(names) if name not in self._done]
        found: list[bytes] = []
        like = f"?like={','.join(self.like)}" if self.like else ""
        for at in range(0, len(wanted), _MAX_NAMES):
            asked = wanted[at : at + _MAX_NAMES]
            path = f"/v1/uploads/{self.id}/missing{like}"
            answer = self.link.ask("POST", path, [b"".join(asked)])
            found += [name for name, there in zip(asked, answer, strict=True) if not there]
        return found

    def _send(self, names: Sequence[bytes]) -> None:
        """Send objects in packs, a few at a time, and nodes when all that they name is there.

        Whoever goes on with a cut-off upload does not ask below what has arrived.
        """
        total = sum(self._size(name) for name in names)
        self._pace.small, self._pace.local = total < _WORTH_PACKING, self.link.local
        with ThreadPoolExecutor(_SENDERS, "hansard-send") as pool:
            going: set[Future[None]] = set()
            for batch in self._batches(names):
                nodes = batch[-1] in self.artifact.nodes
                if nodes or len(going) == _SENDERS:
                    until = ALL_COMPLETED if nodes else FIRST_COMPLETED
                    ended, going = wait(going, return_when=until)
                    for each in ended:
                        each.result()
                going.add(pool.submit(self._send_pack, batch))
            for each in going:
                each.result()

    def _batches(self, names: Sequence[bytes]) -> Iterator[list[bytes]]:
        batch: list[bytes] = []
        size = 0
        for name in names:
            each = self._size(name) + FRAME.size
            if batch and size + each > PACK_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(name)
            size += each
        if batch:
            yield batch

    def _size(self, name: bytes) -> int:
        if name in self.artifact.nodes:
            return len(self.artifact.nodes[name][1])
        return self.artifact.sources[name].span.size

    def _send_pack(self, names: Sequence[bytes]) -> None:
        parts: list[Buffer] = []
        with _Reader() as reader:
            for name in names:
                parts += self._frame(name, reader)
        size = sum(map(len, parts))
        started = time.monotonic()
        self.link.ask("PUT", f"/v1/uploads/{self.id}/packs", parts)
        self._pace.sent(size, time.monotonic() - started)
        self.sent += size
        self._done.update(names)
        for name in names:
            self.artifact.held.pop(name, None)
        self.on_progress(sum(self._size(name) for name in names))

    def _frame(self, name: bytes, reader: "_Reader") -> tuple[bytes, Buffer]:
        if name in self.artifact.nodes:
            kind, raw = self.artifact.nodes[name]
            codec, payload = encode(raw)
            return FRAME.pack(name, kind, codec, len(raw), len(payload)), payload
        source = self.artifact.sources[name]
        content = self.artifact.held.get(name) or reader.read(source)
        codec, payload = Codec.RAW, content
        if self._pace.smaller:
            started = time.monotonic()
            codec, payload = encode(content, source.span.width, rotated=source.span.rotated)
            self._pace.encoded(len(content), time.monotonic() - started)
        return FRAME.pack(name, Kind.PIECE, codec, len(content), len(payload)), payload


class _Reader:
    """Reads stretches of files; keeps the last file open."""

    def __init__(self) -> None:
        self._path: str | None = None
        self._descriptor = -1

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read(self, source: Source) -> bytes:
        """Raises FileChanged for a file that has become shorter."""
        if source.shared:
            return b"".join([read_small(file.source, file.facts) for file in source.shared])
        path, (offset, size, *_) = source.path, source.span
        if path != self._path:
            self.__exit__()
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            self._path = path
        content = os.pread(self._descriptor, size, offset)
        if len(content) != size:
            raise FileChanged(f"`{path}` became shorter while it was sent")
        return content
