"""What the files of an artifact are, by their content, and whether any of it is refused."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from blake3 import blake3

from hansard.formats.codec import Buffer
from hansard.formats.objects import Cut, File, Kind, ObjectError, encode_file
from infra.artifacts import index
from infra.artifacts.inspection import Memory, Reader, inspect
from infra.artifacts.reading import FileReader, read_objects
from infra.artifacts.storage import Storage
from infra.database import Connection

_SPEAKING = ("safetensors", "gguf", "onnx", "skops", "parquet", "arrow", "npy")
"""Formats that name an artifact, the first one that is among its files."""

_MOST_REFUSED = 10
_AT_ONCE_BYTES = 8 << 20

Group = Sequence[File]
"""One file, or those of a leaf that share a piece."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is not accepted, and why."""

    path: str
    reason: str


class NotYetExamined(Exception):
    """There is more to look into than one request should take."""


def examine(
    storage: Storage, connection: Connection, files: Sequence[File], deadline: float
) -> tuple[set[str], list[Refused]]:
    """The formats of files, and files that are refused (ten are looked for).

    What was looked into is remembered by its content. Raises NotYetExamined at the deadline, a
    monotonic time, ObjectsMissing, and ObjectError for a file that has not the digest it says.
    """
    proven, doubtful = _proven(connection, files)
    known = index.inspected(connection, doubtful)
    found = proven.union(*known.values())
    groups = [(identity, its) for identity, its in doubtful.items() if identity not in known]
    fresh: dict[bytes, set[str]] = {}
    refused: list[Refused] = []
    try:
        for identity, group, readers in _opened(storage, connection, groups):
            if time.monotonic() > deadline:
                raise NotYetExamined
            formats, bad = _looked_into(group, readers)
            refused += bad
            if len(refused) >= _MOST_REFUSED:
                break
            if not bad:
                fresh[identity] = formats
                found |= formats
    finally:
        index.remember_inspected(connection, fresh)
    return found, refused[:_MOST_REFUSED]


def check_digests(storage: Storage, connection: Connection, files: Sequence[File]) -> None:
    """Raise ObjectError for a file that has not the digest it says, where it could say another."""
    groups = [each for each in _grouped(files).items() if each[1][0].cut is Cut.SHARED]
    for _ in _opened(storage, connection, groups):
        pass


def format_of_all(found: Collection[str]) -> str:
    """What an artifact is called whose files are of these formats."""
    if len(found) == 1:
        return next(iter(found))
    return next((each for each in _SPEAKING if each in found), "mixed")


def _proven(
    connection: Connection, files: Sequence[File]
) -> tuple[set[str], dict[bytes, list[File]]]:
    """Formats that were told when the content came, and by identity what must be looked into."""
    looks = index.looks(connection, {name for file in files if (name := _only_piece(file))})
    found = set(looks.values()) | {"text" for file in files if not file.size}
    return found, _grouped([f for f in files if f.size and _only_piece(f) not in looks])


def _grouped(files: Sequence[File]) -> dict[bytes, list[File]]:
    """Files by what they consist of, whatever they are called; those that share a piece as one."""
    shared: dict[bytes, list[File]] = {}
    found: dict[bytes, list[File]] = {}
    for file in files:
        if file.cut is Cut.SHARED:
            shared.setdefault(file.body[0].name, []).append(file)
        else:
            found[_identity([file])] = [file]
    return found | {_identity(group): group for group in shared.values()}


def _identity(group: Group) -> bytes:
    return blake3(b"".join([encode_file(file._replace(path="-")) for file in group])).digest()


def _opened(
    storage: Storage, connection: Connection, groups: Sequence[tuple[bytes, list[File]]]
) -> Iterator[tuple[bytes, list[File], list[Reader]]]:
    """Groups with a reader of each file; pieces that are shared are read some at a time."""
    for batch in _batches(groups):
        pieces = {its[0].body[0].name for _, its in batch if its[0].cut is Cut.SHARED}
        contents = read_objects(storage, connection, pieces) if pieces else {}
        for identity, its in batch:
            if its[0].cut is Cut.SHARED:
                yield identity, its, [_sharing(file, contents) for file in its]
            else:
                yield identity, its, [FileReader(storage, connection, file) for file in its]


def _batches(
    groups: Sequence[tuple[bytes, list[File]]],
) -> Iterator[list[tuple[bytes, list[File]]]]:
    batch: list[tuple[bytes, list[File]]] = []
    size = 0
    for identity, its in groups:
        batch.append((identity, its))
        size += its[0].body[0].size if its[0].cut is Cut.SHARED else 0
        if size >= _AT_ONCE_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _sharing(file: File, contents: Mapping[bytes, Buffer]) -> Memory:
    content = bytes(contents[file.body[0].name][file.offset : file.offset + file.size])
    if blake3(content).digest() != file.content:
        raise ObjectError(f"`{file.path}` has not the digest that is said of it")
    return Memory(content)


def _looked_into(group: Group, readers: Sequence[Reader]) -> tuple[set[str], list[Refused]]:
    """The formats of a group, and those of its files that are refused."""
    formats, refused = set(), []
    for file, reader in zip(group, readers, strict=True):
        verdict = inspect(reader)
        if verdict.refusal is None:
            formats.add(verdict.format)
        else:
            refused.append(Refused(file.path, verdict.refusal))
    return formats, refused


def _only_piece(file: File) -> bytes | None:
    """The piece that is the whole file: the beginning of a longer one proves nothing."""
    if len(file.body) == 1 and file.body[0].kind is Kind.PIECE and file.cut is not Cut.SHARED:
        return file.body[0].name
    return None
