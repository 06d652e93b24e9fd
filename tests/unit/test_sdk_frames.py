"""Frames, the outbox that keeps them, and the Merkle root over series."""

import hashlib
import json
import struct
from array import array
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from hansard.formats.columns import Column, FrameError, pack_metrics, unpack_metrics
from hansard.formats.frames import (
    MAX_FRAME_BYTES,
    Frame,
    Item,
    ItemBatch,
    Kind,
    LogChunk,
    pack_items,
    pack_log,
    pack_status,
    unpack_items,
    unpack_log,
    unpack_status,
)
from hansard.formats.outbox import Outbox, read_from
from hansard.formats.series_root import SeriesRoot


def column(key: str, points: int) -> Column:
    return Column(
        key,
        array("q", range(points)),
        array("d", [0.5] * points),
        array("q", [1_700_000_000_000 + each for each in range(points)]),
    )


def test_the_metric_payload_is_pinned_to_its_version_1_bytes() -> None:
    payload = pack_metrics([column("loss", 3)])
    assert hashlib.sha256(payload).hexdigest() == (
        "d986dbd7c267d5e6c606c85fd2d8150e2d189c2a27d2c06418b1236934529ce0"
    )
    assert len(payload) == 8 + 32 + 8 + 3 * 8 + 16


def test_decoded_values_share_the_memory_of_the_payload() -> None:
    payload = pack_metrics([column("loss", 4)])
    (decoded,) = unpack_metrics(payload)
    assert isinstance(decoded.values, memoryview)
    assert decoded.values.obj is payload


def test_columns_of_unequal_length_are_not_packed() -> None:
    for steps, values in ((2, 1), (0, 0)):
        odd = Column("k", array("q", range(steps)), array("d", [0.0] * values), array("q", [1]))
        with pytest.raises(FrameError, match="`k`"):
            pack_metrics([odd])


def test_a_frame_survives_the_wire_and_an_oversized_one_is_not_made() -> None:
    frame = Frame(2**40, Kind.STATUS, b"{}")
    assert Frame.from_bytes(frame.to_bytes()) == frame
    with pytest.raises(FrameError, match="too large"):
        Frame(1, Kind.LOG, bytes(MAX_FRAME_BYTES)).to_bytes()


@pytest.mark.parametrize(
    ("at", "byte", "message"), [(0, 9, "unknown version"), (1, 9, "unknown kind")]
)
def test_a_frame_of_another_version_or_kind_is_refused(at: int, byte: int, message: str) -> None:
    data = bytearray(Frame(1, Kind.LOG, b"").to_bytes())
    data[at] = byte
    with pytest.raises(FrameError, match=message):
        Frame.from_bytes(bytes(data))


def test_log_and_status_payloads_come_back_as_they_were() -> None:
    chunk = LogChunk("stderr", 7, ["a\u2028b", "\ud7ff"], [1, 2])
    assert unpack_log(pack_log(chunk)) == chunk
    assert unpack_status(pack_status({"b": 1, "a": None})) == {"a": None, "b": 1}
    with pytest.raises(FrameError):
        pack_log(LogChunk("stdout", 1, ["a"], []))
    for payload in (b"[]", b'["stdout",1,["a"],[]]', b"\xff"):
        with pytest.raises(FrameError):
            unpack_log(payload)
    with pytest.raises(FrameError):
        unpack_status(b"[]")


def test_a_corrupt_record_ends_the_outbox(tmp_path: Path) -> None:
    path = tmp_path / "box"
    with Outbox(path) as box:
        first = box.append(Frame(1, Kind.LOG, b"one"))
        box.append(Frame(2, Kind.LOG, b"two"))
        box.sync()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    assert [frame.seq for frame, _ in read_from(path)] == [1]
    with Outbox(path) as box:
        assert box.end == first


def test_reading_resumes_at_an_offset(tmp_path: Path) -> None:
    with Outbox(tmp_path / "box") as box:
        offset = box.append(Frame(1, Kind.LOG, b""))
        end = box.append(Frame(2, Kind.LOG, b""))
        assert [(frame.seq, at) for frame, at in read_from(tmp_path / "box", offset)] == [(2, end)]


@pytest.mark.parametrize("there", range(8))
def test_an_outbox_that_is_only_being_made_holds_nothing_yet(tmp_path: Path, there: int) -> None:
    path = tmp_path / "outbox"
    Outbox(path).close()
    path.write_bytes(path.read_bytes()[:there])
    assert list(read_from(path)) == []


def test_a_foreign_file_is_not_taken_for_an_outbox(tmp_path: Path) -> None:
    path = tmp_path / "box"
    path.write_bytes(b"something else")
    with pytest.raises(FrameError, match="not an outbox"):
        Outbox(path)
    assert path.read_bytes() == b"something else"


def leaf(each: Column) -> bytes:
    key = each.key.encode()
    body = b"".join(
        hashlib.sha256(memoryview(part).cast("B")).digest()
        for part in (each.steps, each.values, each.times)
    )
    head = b"\0" + struct.pack("<I", len(key)) + key + struct.pack("<Q", len(each))
    return hashlib.sha256(head + body).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def test_the_root_is_the_merkle_tree_of_rfc_6962_over_sorted_keys() -> None:
    root = SeriesRoot()
    assert root.root() == hashlib.sha256(b"").hexdigest()
    each = [column(key, index + 1) for index, key in enumerate("abcde")]
    for one in reversed(each):
        root.add(one.key, one.steps, one.values, one.times)
    a, b, c, d, e = map(leaf, each)
    assert root.root() == node(node(node(a, b), node(c, d)), e).hex()
    assert root.count == 15


def test_the_root_notices_any_change_of_a_point() -> None:
    def root_of(key: str, step: int, value: float, time: int) -> str:
        root = SeriesRoot()
        root.add(key, array("q", [step]), array("d", [value]), array("q", [time]))
        return root.root()

    same = root_of("a", 1, 0.0, 1)
    others = [
        root_of("b", 1, 0.0, 1),
        root_of("a", 2, 0.0, 1),
        root_of("a", 1, -0.0, 1),
        root_of("a", 1, 0.0, 2),
    ]
    assert len({same, *others}) == 5


def test_arrays_that_do_not_match_are_not_hashed() -> None:
    root = SeriesRoot()
    for steps in (array("q", [1, 2]), array("i", [1])):
        with pytest.raises(ValueError, match="`k`"):
            root.add("k", steps, array("d", [1.0]), array("q", [1]))
    assert root.count == 0


ITEM = Item(1, "val/img", "image", None, 5, "items/a.png", "image/png", 7, {"caption": "größer"})


def test_a_batch_of_items_survives_its_frame() -> None:
    batch = ItemBatch("artifact-1", [ITEM, replace(ITEM, number=2, step=-3)])
    frame = Frame.from_bytes(Frame(1, Kind.ITEMS, pack_items(batch)).to_bytes())
    assert unpack_items(frame.payload) == batch


@pytest.mark.parametrize(
    "changed",
    [
        {"number": True},
        {"number": 2**70},
        {"number": "1"},
        {"name": None},
        {"step": 1.5},
        {"meta": []},
        {"more": 1},
    ],
)
def test_what_is_no_item_is_refused(changed: dict[str, Any]) -> None:
    fields = {**asdict(ITEM), **changed}
    for document in ({"artifact": "a", "items": [fields]}, {"artifact": 1, "items": []}, [fields]):
        with pytest.raises(FrameError):
            unpack_items(json.dumps(document).encode())
