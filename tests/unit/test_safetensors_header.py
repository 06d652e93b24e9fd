"""The header of safetensors files: all that the library writes, nothing that it refuses."""

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import safetensors.torch
import torch

from hansard.formats.safetensors import (
    MAX_ENTRIES,
    MAX_HEADER_BYTES,
    WIDTHS,
    FormatError,
    Header,
    Tensor,
    header_length,
    parse_header,
)
from tests.unit.yardstick import SECOND, cost

deserialize: Callable[[bytes], list[tuple[str, Any]]] = safetensors.deserialize


def header_of(text: str | bytes | dict[str, Any]) -> bytes:
    if isinstance(text, dict):
        text = json.dumps(text)
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw


def parsed(text: str | bytes | dict[str, Any], data_bytes: int = 4) -> Header:
    header = header_of(text)
    return parse_header(header, len(header) + data_bytes)


def a_tensor(
    shape: object = (1,), offsets: object = (0, 4), dtype: object = "F32"
) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def read_all(content: bytes) -> Header:
    length = header_length(content[:8], len(content))
    return parse_header(content[: 8 + length], len(content))


def test_what_the_library_writes_is_read_as_it_was_written() -> None:
    tensors = {
        "z.weight": torch.ones(2, 3),
        "a": torch.zeros(0, 5),
        "scalar": torch.tensor(1.5, dtype=torch.float64),
        'na\\me "quoted"\n é 🙂': torch.ones(4, dtype=torch.float8_e4m3fn),
        "flags": torch.ones(3, dtype=torch.bool),
        "also empty": torch.zeros(7, 0, dtype=torch.int64),
    }
    content = safetensors.torch.save(tensors, {"format": "pt", "note": "é\n"})
    header = read_all(content)
    found = {tensor.name: tensor for tensor in header.tensors}
    assert header.metadata == {"format": "pt", "note": "é\n"}
    assert set(found) == set(tensors)
    for name, value in tensors.items():
        data = content[header.data_start + found[name].start : header.data_start + found[name].end]
        assert found[name].shape == tuple(value.shape)
        assert data == value.reshape(-1).view(torch.uint8).numpy().tobytes()


def test_tensors_come_in_the_order_of_their_data() -> None:
    text = {"last": a_tensor(offsets=(4, 8)), "empty": a_tensor([0], [4, 4]), "first": a_tensor()}
    header = parsed(text, 8)
    assert [tensor.name for tensor in header.tensors] == ["first", "empty", "last"]
    assert header.tensors[0] == Tensor("first", "F32", (1,), 0, 4)


def test_a_file_without_tensors_is_read() -> None:
    assert parsed("{}", 0) == Header((), {}, 10)
    assert parsed('{"__metadata__":{}}   \n', 0).metadata == {}


def test_members_may_come_in_any_order_and_spread_over_lines() -> None:
    text = '{ "a" : { "shape" : [ 1 , 1 ] ,\n"data_offsets":[0 ,4], "dtype":"F32" } }'
    assert parsed(text).tensors == (Tensor("a", "F32", (1, 1), 0, 4),)


@pytest.mark.parametrize("dtype", sorted(WIDTHS))
def test_every_type_is_as_wide_as_the_library_says(dtype: str) -> None:
    size = WIDTHS[dtype]  # of eight elements, in bytes
    header = header_of({"a": a_tensor([8], [0, size], dtype)})
    assert parse_header(header, len(header) + size).tensors[0].end == size
    ((name, _),) = deserialize(header + bytes(size))
    assert name == "a"


def test_the_library_knows_no_other_types() -> None:
    with pytest.raises(safetensors.SafetensorError, match="expected one of") as caught:
        deserialize(header_of({"a": a_tensor(dtype="X")}) + bytes(4))
    names = {part for part in str(caught.value).split("`")[3:] if part.strip(", ")}
    assert {name for name in names if name.isupper()} - {"X"} <= set(WIDTHS)
    assert len(WIDTHS) == 22


@pytest.mark.parametrize(
    "text",
    [
        "",
        " {}",
        "[]",
        "{",
        "{} {}",
        "{}\0",
        '{"a":1}',
        '{"a":null}',
        '{"__metadata__":null}',
        '{"__metadata__":{"a":1}}',
        '{"__metadata__":{"a":{}}}',
        '{"__metadata__":{"a":"b","a":"c"}}',
        '{"__metadata__":{},"__metadata__":{}}',
        '{"__metadata__":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
        '{"__metadata__":{},}',
        '{"a":{}}',
        '{"a":["F32",[1],[0,4]]}',
        '{"a":{"dtype":"F32","shape":[1]}}',
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}}',
        '{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        '{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}',
        '{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
        '{"a":{"dtype":"F32","shape":[-0,1],"data_offsets":[0,0]}}',
        '{"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}',
        '{"a":{"dtype":"F32","shape":[true],"data_offsets":[0,4]}}',
        '{"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}}',
        '{"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}',
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}',
        '{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}',
        '{"a":{"dtype":"C128","shape":[0],"data_offsets":[0,0]}}',
        '{"a\n":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        '{"a\\x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        '{"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        '{"\\u0000":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        '{"__metadata__":{"a":"\\u0000"}}',
        b'{"\xff":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        b'\xef\xbb\xbf{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
    ],
)
def test_what_is_not_the_grammar_is_refused(text: str | bytes) -> None:
    for data_bytes in (0, 4):
        with pytest.raises(FormatError):
            parsed(text, data_bytes)


@pytest.mark.parametrize(
    ("tensors", "data_bytes"),
    [
        ({"a": a_tensor()}, 5),
        ({"a": a_tensor()}, 3),
        ({"a": a_tensor(offsets=(4, 8))}, 8),
        ({"a": a_tensor(), "b": a_tensor()}, 4),
        ({"a": a_tensor(), "b": a_tensor(offsets=(2, 6))}, 6),
        ({"a": a_tensor(), "b": a_tensor(offsets=(5, 9))}, 9),
        ({"a": a_tensor(offsets=(4, 0))}, 4),
        ({"a": a_tensor([2])}, 4),
        ({"a": a_tensor([0])}, 4),
        ({"a": a_tensor([3], [0, 2], "F4")}, 2),
        ({"a": a_tensor([2**64 + 1])}, 4),
        ({"a": a_tensor([2**63, 4, 0], [0, 0])}, 0),
        ({"a": a_tensor([2**32, 2**32, 0], [0, 0])}, 0),
        ({"a": a_tensor([1] * 65)}, 4),
    ],
)
def test_tensors_that_do_not_tile_the_data_are_refused(
    tensors: dict[str, Any], data_bytes: int
) -> None:
    with pytest.raises(FormatError):
        parsed(tensors, data_bytes)


def test_a_zero_may_come_before_sizes_that_would_be_too_many() -> None:
    header = header_of({"a": a_tensor([0, 2**63, 4], [0, 0])})
    assert parse_header(header, len(header)).tensors[0].shape == (0, 2**63, 4)
    assert deserialize(header)


def test_one_name_twice_is_refused_however_it_is_written() -> None:
    entry = json.dumps(a_tensor([0], [0, 0]))
    for other in ('"a"', '"\\u0061"'):
        with pytest.raises(FormatError, match="twice"):
            parsed(f'{{"a":{entry},{other}:{entry}}}', 0)


@pytest.mark.parametrize("stated", [2**64 - 1, MAX_HEADER_BYTES, 11])
def test_a_header_longer_than_the_file_or_than_is_reasonable_is_refused(stated: int) -> None:
    with pytest.raises(FormatError):
        header_length(struct.pack("<Q", stated), 18)
    with pytest.raises(FormatError):
        header_length(struct.pack("<Q", stated)[:7], 2**70)
    with pytest.raises(FormatError):
        parse_header(struct.pack("<Q", stated) + b"{}        ", 18)


def test_a_header_that_is_not_all_there_is_refused() -> None:
    header = header_of({"a": a_tensor()})
    for part in (header[:-1], header + b" "):
        with pytest.raises(FormatError, match="as long as it says"):
            parse_header(part, len(header) + 4)


def many(count: int) -> tuple[bytes, int]:
    entries = {
        f"model.layers.{number}.w": a_tensor(offsets=(4 * number, 4 * number + 4))
        for number in range(count)
    }
    header = header_of(json.dumps(entries, separators=(",", ":")))
    return header, len(header) + 4 * count


def test_the_longest_header_is_read_quickly() -> None:
    header, size = many(MAX_ENTRIES)
    assert len(parse_header(header, size).tensors) == MAX_ENTRIES
    assert cost(lambda: parse_header(header, size)) < SECOND


def test_more_entries_are_refused() -> None:
    for text in (b'{"__metadata__":{' + b",".join(b'"%d":""' % n for n in range(100_001)) + b"}}",):
        with pytest.raises(FormatError, match="too many"):
            parsed(text, 0)
    entry = b'":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    text = b"{" + b",".join(b'"%d' % number + entry for number in range(MAX_ENTRIES + 1)) + b"}"
    with pytest.raises(FormatError, match="at most"):
        parsed(text, 0)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 8_000_000,
        b"{" * 8_000_000,
        b'{"a":' * 1_600_000,
        b'{"' + b"\\\\" * 3_900_000,
        b'{"a":{"shape":[' + b"1," * 3_900_000,
        b'{"a":{"shape":[' + b"1," * 3_900_000 + b'1],"dtype":"F32"}}',
        b'{"' + b"a" * 8_000_000,
        b"{" + b" " * 8_000_000,
        b'{"__metadata__":{' + b'"":{},' * 1_300_000,
    ],
)
def test_a_hostile_header_costs_no_more_than_its_length(text: bytes) -> None:
    def read() -> None:
        with pytest.raises(FormatError):
            parsed(text, 0)

    assert cost(read) < SECOND


def test_numpy_files_are_read_too() -> None:
    content = safetensors.numpy.save({"x": np.arange(6, dtype=np.uint16).reshape(2, 3)})
    assert read_all(content).tensors == (Tensor("x", "U16", (2, 3), 0, 12),)
