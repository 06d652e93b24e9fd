"""Frames: the numbered messages by which a node ships the telemetry of one run attempt."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

from hansard.formats.columns import Column, FrameError, pack_metrics, unpack_metrics

__all__ = [
    "Column",
    "Frame",
    "FrameError",
    "Item",
    "ItemBatch",
    "Kind",
    "LogChunk",
    "pack_items",
    "pack_log",
    "pack_metrics",
    "pack_status",
    "unpack_items",
    "unpack_log",
    "unpack_metrics",
    "unpack_status",
]

VERSION = 1
MAX_FRAME_BYTES = 4 * 1024 * 1024
"""A frame is smaller than the broker's largest message by a margin for its headers."""

_HEADER = struct.Struct("<BB6xQ")  # version, kind, sequence number


class Kind(IntEnum):
    """What a frame's payload is; a number once used keeps its meaning."""

    METRICS = 1
    LOG = 2
    STATUS = 3
    ITEMS = 4
    HARDWARE = 5  # columns like those of METRICS, measured by the node


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: ``seq`` counts from 1 without gaps within an attempt, over all kinds."""

    seq: int
    kind: Kind
    payload: bytes

    def to_bytes(self) -> bytes:
        """The wire form. Raises FrameError if it would exceed MAX_FRAME_BYTES."""
        if len(self.payload) > MAX_FRAME_BYTES - _HEADER.size:
            raise FrameError(f"a payload of {len(self.payload)} bytes is too large for a frame")
        return _HEADER.pack(VERSION, self.kind, self.seq) + self.payload

    @classmethod
    def from_bytes(cls, data: bytes) -> "Frame":
        """Raises FrameError if the bytes are no frame of this version."""
        if not _HEADER.size <= len(data) <= MAX_FRAME_BYTES:
            raise FrameError(f"{len(data)} bytes are no frame")
        version, kind, seq = _HEADER.unpack_from(data)
        if version != VERSION:
            raise FrameError(f"frame of unknown version {version}")
        try:
            return cls(seq, Kind(kind), data[_HEADER.size :])
        except ValueError:
            raise FrameError(f"frame of unknown kind {kind}") from None


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Consecutive lines of one stream (``stdout``, ``stderr``); times are Unix milliseconds."""

    stream: str
    first_line: int
    lines: Sequence[str]
    times: Sequence[int]


@dataclass(frozen=True, slots=True)
class Item:
    """Something logged that is more than a number; its content is a file of an artifact.

    ``number`` counts from 1 within an attempt, ``time`` is in Unix milliseconds, ``path`` is the
    file's in the artifact, ``size`` its bytes.
    """

    number: int
    name: str
    kind: str
    step: int | None
    time: int
    path: str
    media: str
    size: int
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ItemBatch:
    """Items whose contents lie in one artifact."""

    artifact: str
    items: Sequence[Item]


def pack_log(chunk: LogChunk) -> bytes:
    """The payload of a LOG frame. Raises FrameError unless each line has its time."""
    if len(chunk.lines) != len(chunk.times):
        raise FrameError("a log chunk needs one time for each line")
    fields = [chunk.stream, chunk.first_line, list(chunk.lines), list(chunk.times)]
    return json.dumps(fields, separators=(",", ":")).encode()


def unpack_log(payload: bytes) -> LogChunk:
    """Raises FrameError if the payload is not a log chunk."""
    fields = _parsed(payload)
    if not _is_log(fields):
        raise FrameError("malformed log payload")
    return LogChunk(*fields)


def pack_items(batch: ItemBatch) -> bytes:
    """The payload of an ITEMS frame."""
    fields = {"artifact": batch.artifact, "items": [asdict(item) for item in batch.items]}
    return json.dumps(fields, separators=(",", ":"), allow_nan=False).encode()


def unpack_items(payload: bytes) -> ItemBatch:
    """Raises FrameError if the payload is no batch of items."""
    match _parsed(payload):
        case {"artifact": str(artifact), "items": list(items)} if all(map(_is_item, items)):
            return ItemBatch(artifact, [Item(**item) for item in items])
        case _:
            raise FrameError("malformed items payload")


def pack_status(status: Mapping[str, Any]) -> bytes:
    """The payload of a STATUS frame: any JSON object with finite numbers."""
    return json.dumps(status, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()


def unpack_status(payload: bytes) -> dict[str, Any]:
    """Raises FrameError if the payload is not a JSON object."""
    status = _parsed(payload)
    if not isinstance(status, dict):
        raise FrameError("a status payload is a JSON object")
    return status


def _parsed(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        raise FrameError("the payload is not JSON") from None


def _is_log(fields: Any) -> bool:
    match fields:
        case [str(), int(), list(lines), list(times)]:
            return (
                len(lines) == len(times)
                and all(isinstance(line, str) for line in lines)
                and all(isinstance(time, int) for time in times)
            )
        case _:
            return False


_INT64 = range(-(2**63), 2**63)
_ITEM: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "kind", "path", "media"), (str,)),
    **dict.fromkeys(("number", "time", "size"), (int,)),
    "step": (int, type(None)),
    "meta": (dict,),
}


def _is_item(fields: Any) -> bool:
    if not isinstance(fields, dict) or fields.keys() != _ITEM.keys():
        return False
    return all(
        type(fields[name]) in types and (type(fields[name]) is not int or fields[name] in _INT64)
        for name, types in _ITEM.items()
    )
