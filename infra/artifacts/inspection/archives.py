"""Archives: zip and gzip are looked into, their members held to the rules for files."""

import json
from collections.abc import Callable, Iterator

from infra.artifacts.inspection.source import (
    HEAD_BYTES,
    Inflated,
    NotRecognised,
    Refused,
    Source,
    Window,
)
from infra.artifacts.inspection.zip_directory import (
    END_BYTES,
    END_MARK,
    STORED,
    Member,
    members,
)

Recognise = Callable[[Source], str]

MAX_DEPTH = 3
_LEAST_HEAD_BYTES = 4 << 10
_MAX_SCHEMA_BYTES = 2 << 20
_SCHEMA = "schema.json"
_SKOPS_BYTES = frozenset({"BytesNode", "BytearrayNode"})
_PARSING_UNITS = 4
_ENTRY_MARK, _LOCATOR_MARK = b"PK\x01\x02", b"PK\x06\x07"
_END_RECORD_BYTES, _LOCATOR_BYTES = 22, 20
_MAX_ENDS = 64
_SHOWN_CHARACTERS = 80


def gzip(source: Source, recognise: Recognise) -> str:
    """`gzip`, if what is in it is accepted. Raises Refused."""
    _deeper(source)
    recognise(
        Source(
            Inflated(source, 0, source.size), source.budget, depth=source.depth + 1, seekable=False
        )
    )
    return "gzip"


def zip_(source: Source, recognise: Recognise) -> str:
    """`npz`, `skops` or `zip`, if every member is accepted. Raises Refused."""
    _deeper(source)
    files = [member for member in members(source) if not member.is_folder]
    head_bytes = min(HEAD_BYTES, max(_LEAST_HEAD_BYTES, source.budget.left // (4 * len(files) + 1)))
    raw = _skops_bytes(source, files)
    formats: set[str] = set()
    for file in files:
        inner = _open(source, file, head_bytes)
        try:
            formats.add(recognise(inner))
        except Refused as refusal:
            if not isinstance(refusal, NotRecognised) or file.name not in (raw or ()):
                raise Refused(
                    f"in `{_shown(file.name)}`: {refusal.reason}", refusal.format
                ) from None
    if raw is not None:
        return "skops"
    return "npz" if formats == {"npy"} else "zip"


def check_no_zip_at_end(source: Source) -> None:
    """Raises Refused if a reader of zip would find an archive at the end of another file."""
    most = source.head_bytes if source.depth else END_BYTES + _LOCATOR_BYTES
    length = min(most, source.size)
    tail = source.read(source.size - length, length)
    at = tail.find(END_MARK)
    for _ in range(_MAX_ENDS):
        if at < 0:
            return
        if _ends_an_archive(source, tail, at, source.size - length):
            break
        at = tail.find(END_MARK, at + 1)
    raise Refused("a zip archive is hidden at the end of the file: upload it by itself", "zip")


def _ends_an_archive(source: Source, tail: bytes, at: int, start: int) -> bool:
    record = tail[at : at + _END_RECORD_BYTES]
    if tail[max(0, at - _LOCATOR_BYTES) : at].startswith(_LOCATOR_MARK):
        return True
    size, offset = int.from_bytes(record[12:16], "little"), int.from_bytes(record[16:20], "little")
    places = {start + at - size, offset} if len(record) == _END_RECORD_BYTES and size else set()
    return any(
        0 <= place <= source.size - 4 and source.read(place, 4) == _ENTRY_MARK for place in places
    )


def _deeper(source: Source) -> None:
    if source.depth == MAX_DEPTH:
        raise Refused(f"archives are nested deeper than {MAX_DEPTH}: upload them unpacked", "zip")
    source.budget.allow_archive()


def _open(source: Source, file: Member, head_bytes: int = HEAD_BYTES) -> Source:
    end = file.start + file.stored
    stored = file.method == STORED
    return Source(
        Window(source, file.start, file.size)
        if stored
        else Inflated(source, file.start, end, file.size),
        source.budget,
        depth=source.depth + 1,
        seekable=stored and source.seekable,
        head_bytes=head_bytes,
    )


def _skops_bytes(source: Source, files: list[Member]) -> frozenset[str] | None:
    """The members that a skops model holds as plain bytes; None if this is no skops model."""
    schema = next((file for file in files if file.name == _SCHEMA), None)
    if schema is None or schema.size > _MAX_SCHEMA_BYTES:
        return None
    source.budget.spend(_PARSING_UNITS * schema.size)
    try:
        parsed = json.loads(_open(source, schema).read(0, schema.size))
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict) or "_skops_version" not in parsed:
        return None
    return frozenset(
        str(node.get("file")) for node in _nodes(parsed) if node.get("__loader__") in _SKOPS_BYTES
    )


def _nodes(parsed: object) -> Iterator[dict[str, object]]:
    waiting = [parsed]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _shown(name: str) -> str:
    return name.encode("unicode_escape").decode()[:_SHOWN_CHARACTERS]
