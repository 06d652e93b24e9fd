"""Frames: the numbered messages by which a node ships the telemetry of one run attempt."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from hansard.formats.columns import Column, FrameError, pack_metrics, unpack_metrics

__all__ = [
    "Column",
    "Frame",
    "FrameError",
    "Kind",
    "LogChunk",
    "pack_log",
    "pack_metrics",
    "pack_status",
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
