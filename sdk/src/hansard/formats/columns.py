"""Metric columns and their packed wire form: little endian, versioned, decoded without copies.

Layout: a payload header, then per column a header, the key, steps (unless evenly spaced),
values and times; every array starts on a multiple of eight bytes.
"""

import operator
import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

VERSION = 1

_PAYLOAD_HEADER = struct.Struct("<B3xI")  # version, number of columns
_COLUMN_HEADER = struct.Struct("<HBxIqqq")  # key bytes, flags, points, time base ms, start, stride
_EXPLICIT_STEPS = 1  # the steps are not start + i * stride: an int64 array follows
_WIDE_TIMES = 2  # the times span more than an int32 of milliseconds: an int64 array follows
_INT32_MAX = 2**31 - 1
_MILLISECONDS = 1000

Numbers: TypeAlias = "memoryview[Any] | array[Any]"
"""A buffer of eight-byte numbers: ``numpy.frombuffer`` takes it as it is."""

if sys.byteorder != "little":
    raise ImportError("Hansard's formats need a little-endian machine")


class FrameError(ValueError):
    """Bytes that are not what this version of the format says."""


@dataclass(frozen=True, slots=True)
class Column:
    """Points of one metric in logged order.

    ``steps`` int64; ``values`` float64, non-finite values unchanged bit for bit; ``times`` int64
    Unix milliseconds. All three have one length.
    """

    key: str
    steps: Numbers
    values: Numbers
    times: Numbers

    def __len__(self) -> int:
        return len(self.values)


def milliseconds(unix_seconds: float) -> int:
    """A point's clock reading as the whole Unix milliseconds that columns carry."""
    return round(unix_seconds * _MILLISECONDS)


def pack_metrics(columns: Iterable[Column]) -> bytes:
    """Pack columns into one payload. Raises FrameError if a column's arrays differ in length."""
    parts = [_pack_column(column) for column in columns]
    return b"".join((_PAYLOAD_HEADER.pack(VERSION, len(parts)), *parts))


@dataclass(frozen=True, slots=True)
class PackedColumn:
    """A column as it lies in a payload; the buffers share its memory.

    ``steps`` is None for ``start + i * stride``; ``times`` are int64 milliseconds if ``wide``, else
    int32 milliseconds to add to ``base``.
    """

    key: str
    points: int
    start: int
    stride: int
    steps: "memoryview[Any] | None"
    values: "memoryview[Any]"
    base: int
    wide: bool
    times: "memoryview[Any]"


def packed_columns(payload: bytes) -> list[PackedColumn]:
    """The columns of a payload, not expanded. Raises FrameError if malformed."""
    try:
        version, count = _PAYLOAD_HEADER.unpack_from(payload)
        if version != VERSION:
            raise FrameError(f"metric payload of unknown version {version}")
        columns, end = _packed_columns(memoryview(payload), count)
    except (struct.error, TypeError, UnicodeDecodeError) as error:
        raise FrameError(f"malformed metric payload: {error}") from None
    if end != len(payload):
        raise FrameError(f"metric payload has {len(payload) - end} bytes too many")
    return columns


def unpack_metrics(payload: bytes) -> list[Column]:
    """The columns of a payload, expanded. Raises FrameError if malformed."""
    return [_expanded(packed) for packed in packed_columns(payload)]


def _pack_column(column: Column) -> bytes:
    points = len(column.values)
    if not points or len(column.steps) != points or len(column.times) != points:
        raise FrameError(f"column `{column.key}` is empty or its arrays differ in length")
    key = column.key.encode()
    stride = _stride(column.steps)
    base, span = min(column.times), max(column.times) - min(column.times)
    flags = (_EXPLICIT_STEPS if stride is None else 0) | (_WIDE_TIMES if span > _INT32_MAX else 0)
    header = _COLUMN_HEADER.pack(len(key), flags, points, base, column.steps[0], stride or 0)
    return b"".join(
        (
            header,
            _padded(key),
            b"" if stride is not None else array("q", column.steps).tobytes(),
            array("d", column.values).tobytes(),
            _packed_times(column.times, base, wide=span > _INT32_MAX),
        )
    )


def _stride(steps: Numbers) -> int | None:
    """The distance of evenly spaced rising or falling steps, or None."""
    if len(steps) == 1:
        return 1
    stride = int(steps[1] - steps[0])
    if stride == 0:
        return None
    even = range(steps[0], steps[0] + stride * len(steps), stride)
    return stride if all(map(operator.eq, steps, even)) and abs(stride) < 2**63 else None


def _packed_times(times: Numbers, base: int, *, wide: bool) -> bytes:
    if wide:
        return array("q", times).tobytes()
    return _padded(array("i", [time - base for time in times]).tobytes())


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def _packed_columns(payload: memoryview, count: int) -> tuple[list[PackedColumn], int]:
    columns: list[PackedColumn] = []
    at = _PAYLOAD_HEADER.size
    for _ in range(count):
        column, at = _packed_column(payload, at)
        columns.append(column)
    return columns, at


def _packed_column(payload: memoryview, at: int) -> tuple[PackedColumn, int]:
    key_bytes, flags, points, base, start, stride = _COLUMN_HEADER.unpack_from(payload, at)
    at += _COLUMN_HEADER.size
    explicit, wide = flags & _EXPLICIT_STEPS, flags & _WIDE_TIMES
    at_steps = at + key_bytes + -key_bytes % 8
    at_values = at_steps + (8 * points if explicit else 0)
    at_times = at_values + 8 * points
    end = at_times + (8 * points if wide else 4 * points + 4 * (points % 2))
    if end > len(payload) or not points or flags & ~(_EXPLICIT_STEPS | _WIDE_TIMES):
        raise FrameError("metric payload ends within a column, or the column is not valid")
    if not explicit:
        _check_even_steps(start, stride, points)
    column = PackedColumn(
        key=str(payload[at : at + key_bytes], "utf-8"),
        points=points,
        start=start,
        stride=stride,
        steps=payload[at_steps:at_values].cast("q") if explicit else None,
        values=payload[at_values:at_times].cast("d"),
        base=base,
        wide=bool(wide),
        times=payload[at_times : at_times + (8 if wide else 4) * points].cast("q" if wide else "i"),
    )
    return column, end


def _check_even_steps(start: int, stride: int, points: int) -> None:
    if not stride:
        raise FrameError("evenly spaced steps with a stride of zero")
    if not -(2**63) <= start + stride * (points - 1) < 2**63:
        raise FrameError("a step is outside of int64")


def _expanded(packed: PackedColumn) -> Column:
    last = packed.start + packed.stride * packed.points
    even = range(packed.start, last, packed.stride or 1)
    steps: Numbers = array("q", even) if packed.steps is None else packed.steps
    times: Numbers = packed.times if packed.wide else _shifted(packed.base, packed.times)
    return Column(packed.key, steps, packed.values, times)


def _shifted(base: int, offsets: Sequence[int]) -> "array[int]":
    try:
        return array("q", [base + offset for offset in offsets])
    except OverflowError:
        raise FrameError("a time is outside of int64") from None
