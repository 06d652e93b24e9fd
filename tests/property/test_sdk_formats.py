"""Laws of the SDK's formats over generated input."""

import contextlib
import io
import math
import struct
import tarfile
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hansard.formats.bundle import BundleError, Manifest, read
from hansard.formats.columns import Column, FrameError, pack_metrics, unpack_metrics
from hansard.formats.frames import Frame, Kind, unpack_log, unpack_status
from hansard.formats.outbox import START, Outbox, read_from
from hansard.formats.series_root import SeriesRoot

INT64 = st.integers(-(2**63), 2**63 - 1)
BITS = st.integers(0, 2**64 - 1)


def floats_of(bits: list[int]) -> "array[float]":
    values = array("d")
    values.frombytes(struct.pack(f"<{len(bits)}Q", *bits))
    return values


@st.composite
def columns(draw: st.DrawFn) -> Column:
    rows = draw(st.lists(st.tuples(INT64, BITS, INT64), min_size=1, max_size=30))
    steps = array("q", [row[0] for row in rows])
    if draw(st.booleans()):
        start, stride = draw(st.integers(-100, 100)), draw(st.integers(-3, 3))
        steps = array("q", [start + stride * index for index in range(len(rows))])
    times = array("q", [row[2] for row in rows])
    if draw(st.booleans()):
        times = array("q", [1_700_000_000_000 + index for index in range(len(rows))])
    key = draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
    return Column(key, steps, floats_of([row[1] for row in rows]), times)


def raw(column: Column) -> tuple[str, bytes, bytes, bytes]:
    return column.key, *(bytes(memoryview(each).cast("B")) for each in arrays(column))  # type: ignore[return-value]


def arrays(column: Column) -> tuple[memoryview, memoryview, memoryview]:
    return memoryview(column.steps), memoryview(column.values), memoryview(column.times)


def base_tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in (
            ("hansard.json", Manifest("model", "a.train:T", "T").to_bytes()),
            ("a/train.py", b"class T: pass\n"),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


TAR = base_tar()


@given(st.binary(max_size=2000))
def test_random_bytes_are_only_ever_refused(data: bytes) -> None:
    with contextlib.suppress(BundleError):
        read(data)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 2559), st.integers(0, 255)), max_size=12), st.booleans())
def test_a_mutated_tar_is_only_ever_refused(changes: list[tuple[int, int]], fix: bool) -> None:
    data = bytearray(TAR)
    for at, byte in changes:
        data[at] = byte
    assert read(TAR).manifest.name == "T"
    if fix:  # repair the checksums so that mutations reach what lies behind them
        for start in (0, 1024):
            data[start + 148 : start + 156] = b" " * 8
            data[start + 148 : start + 156] = b"%06o\0 " % sum(data[start : start + 512])
    with contextlib.suppress(BundleError):
        read(bytes(data))


@given(st.lists(columns(), max_size=4))
def test_packed_metrics_come_back_bit_for_bit(packed: list[Column]) -> None:
    unpacked = unpack_metrics(pack_metrics(packed))
    assert [raw(column) for column in unpacked] == [raw(column) for column in packed]


@given(st.binary(max_size=200), st.lists(columns(), min_size=1, max_size=2), st.data())
def test_damaged_payloads_are_only_ever_refused(
    noise: bytes, packed: list[Column], data: st.DataObject
) -> None:
    payload = bytearray(pack_metrics(packed))
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    for candidate in (noise, bytes(payload), bytes(payload[:-1])):
        for decode in (unpack_metrics, unpack_log, unpack_status, Frame.from_bytes):
            with contextlib.suppress(FrameError):
                decode(candidate)


@given(columns(), st.integers(0, 30))
def test_the_root_does_not_depend_on_how_points_were_cut(column: Column, cut: int) -> None:
    whole, parts = SeriesRoot(), SeriesRoot()
    whole.add(column.key, column.steps, column.values, column.times)
    whole.add("other", array("q", [1]), array("d", [math.nan]), array("q", [1]))
    parts.add("other", array("q", [1]), array("d", [math.nan]), array("q", [1]))
    parts.add(column.key, column.steps[:cut], column.values[:cut], column.times[:cut])
    parts.add(column.key, column.steps[cut:], column.values[cut:], column.times[cut:])
    assert whole.count == parts.count == len(column) + 1
    assert whole.root() == parts.root()


@settings(max_examples=50)
@given(payloads=st.lists(st.binary(max_size=50), max_size=6), data=st.data())
def test_an_outbox_cut_anywhere_keeps_its_whole_frames_and_goes_on(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("outbox") / "box"
    ends = [START]
    with Outbox(path) as box:
        for seq, payload in enumerate(payloads, 1):
            ends.append(box.append(Frame(seq, Kind.METRICS, payload)))
    cut = data.draw(st.integers(START, ends[-1]))
    with path.open("rb+") as file:
        file.truncate(cut)
    kept = sum(end <= cut for end in ends[1:])
    assert [frame.payload for frame, _ in read_from(path)] == payloads[:kept]
    with Outbox(path) as box:
        assert box.end == ends[kept]
        box.append(Frame(99, Kind.LOG, b"after"))
    assert [frame.payload for frame, _ in read_from(path)] == [*payloads[:kept], b"after"]
