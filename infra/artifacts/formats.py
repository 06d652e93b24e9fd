"""What the files of an artifact are, by their content, and whether any of it is refused."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from blake3 import blake3

from hansard.formats.objects import File, Kind, encode_file
from infra.artifacts import index
from infra.artifacts.inspection import inspect
from infra.artifacts.reading import FileReader
from infra.artifacts.storage import Storage
from infra.database import Connection

_SPEAKING = ("safetensors", "gguf", "onnx", "skops", "parquet", "arrow", "npy")
"""Formats that name an artifact, the first one that is among its files."""

_MOST_REFUSED = 10


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is not accepted, and why."""

    path: str
    reason: str


class NotYetExamined(Exception):
    """There is more to look into than one request should take."""


def examine(
    storage: Storage, connection: Connection, files: Sequence[File], deadline: float
) -> tuple[dict[str, str], list[Refused]]:
    """The format of each file by its path, and files that are refused (ten are looked for).

    Raises NotYetExamined at the deadline, a monotonic time.
    """
    firsts = {file.path: _only_piece(file) for file in files}
    looks = index.looks(connection, {name for name in firsts.values() if name})
    found = {file.path: "text" for file in files if not file.size}
    for path, first in firsts.items():
        if first in looks:
            found[path] = looks[first]
    refused: list[Refused] = []
    doubtful = [file for file in files if file.path not in found]
    known = index.inspected(connection, map(_identity, doubtful))
    for file in doubtful:
        format_ = known.get(_identity(file))
        if format_ is None:
            if time.monotonic() > deadline:
                raise NotYetExamined
            verdict = inspect(FileReader(storage, connection, file))
            if verdict.refusal is not None:
                refused.append(Refused(file.path, verdict.refusal))
                if len(refused) == _MOST_REFUSED:
                    break
                continue
            format_ = known[_identity(file)] = verdict.format
            index.remember_inspected(connection, _identity(file), format_)
        found[file.path] = format_
    return found, refused


def format_of_all(found: Collection[str]) -> str:
    """What an artifact is called whose files are of these formats."""
    if len(found) == 1:
        return next(iter(found))
    return next((each for each in _SPEAKING if each in found), "mixed")


def _only_piece(file: File) -> bytes | None:
    """The piece that is the whole file: the beginning of a longer one proves nothing."""
    if len(file.body) == 1 and file.body[0].kind is Kind.PIECE:
        return file.body[0].name
    return None


def _identity(file: File) -> bytes:
    """What a file consists of, whatever it is called."""
    return blake3(encode_file(file._replace(path="-"))).digest()
