"""However large or hostile a file is, little of it is read and the answer comes at once."""

import gzip
import json
import struct
import zipfile
import zlib
from collections.abc import Callable

import onnx
import pytest

from infra.artifacts.inspection import Reader, inspect
from infra.artifacts.inspection.source import ARCHIVE_BYTES, PLAIN_BYTES
from tests.unit.inspection_samples import Endless, Recorded, image, varint, zipped
from tests.unit.yardstick import SECOND, cost

_HUGE = 10**13


def cost_of_inspecting(reader: Reader) -> float:
    return cost(lambda: inspect(reader))


def words(number: int, text: bytes = b"") -> bytes:
    """The same text in a member, so many times."""
    return zipped({f"{each}.txt": text for each in range(number)})


def gguf(entries: int, tensors: int, body: bytes) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, entries) + body


def one_member(compressed: bytes, size: int) -> bytes:
    """A zip archive of these bytes as they are, said to unpack to `size`."""
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(compressed), size, 1, 0)
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, len(compressed), size, 1, *[0] * 6
    )
    start = len(local) + 1 + len(compressed)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(entry) + 1, start, 0)
    return local + b"a" + compressed + entry + b"a" + end


def safetensors(tensors: int) -> bytes:
    header = json.dumps(
        {
            f"layer.{number}.weight": {
                "dtype": "U8",
                "shape": [1],
                "data_offsets": [number, number + 1],
            }
            for number in range(tensors)
        },
        separators=(",", ":"),
    ).encode()
    return struct.pack("<Q", len(header)) + header + bytes(tensors)


def nodes(count: int) -> bytes:
    """An ONNX model of many nodes that each speak of a location."""
    graph = b"\x0a\x0a\x42\x08location" * count
    return b"\x08\x09\x3a" + varint(len(graph)) + graph


_STRINGS = struct.pack("<Q", 1) + b"a" + struct.pack("<IIQ", 9, 8, 10**9)
_LISTS = struct.pack("<Q", 1) + b"a" + struct.pack("<IIQ", 9, 9, 10**5)

_HOSTILE: dict[str, Callable[[], Recorded | Endless]] = {
    "many members": lambda: Recorded(words(30_000)),
    "members of opcodes": lambda: Recorded(words(500, b"N0" * 30_000)),
    "members of numbers": lambda: Recorded(words(500, b"I1\n0" * 15_000)),
    "members of brackets": lambda: Recorded(words(300, b"[" + b"[]," * 20_000 + b"[]]")),
    "members of models": lambda: Recorded(zipped(dict.fromkeys("abcdef", safetensors(90_000)))),
    "members of nodes": lambda: Recorded(zipped(dict.fromkeys("abcdef", nodes(400_000)))),
    "bomb": lambda: Recorded(one_member(zlib.compress(bytes(100_000_000), 9)[2:-4], 100_000_000)),
    "bomb of text": lambda: Recorded(words(3, b"a,b\n" * 10_000_000)),
    "bomb of gzip": lambda: Recorded(gzip.compress(gzip.compress(b"a,b\n" * 30_000_000))),
    "blocks of nothing": lambda: Recorded(one_member(b"\0\0\0\xff\xff" * 8_000_000, 100)),
    "opcodes": lambda: Endless(b"", _HUGE, b"N0"),
    "a line without an end": lambda: Endless(b"V", _HUGE, b"x"),
    "lines": lambda: Endless(b"", _HUGE, b"Vx\n0"),
    "jumps": lambda: Endless(b"", _HUGE, b"U " + b"x" * 32 + b"0"),
    "far jumps": lambda: Endless(b"", _HUGE, b"B\0\1\0\0" + b"B" * 256 + b"0"),
    "brackets": lambda: Endless(b"", _HUGE, b"["),
    "text": lambda: Endless(b"", _HUGE, b"time,value\n1,2\n"),
    "lines of json": lambda: Endless(b"", _HUGE, b'{"a":1}\n'),
    "zeros": lambda: Endless(b"", _HUGE, b"\0"),
    "marks of zip": lambda: Endless(image("JPEG"), _HUGE, b"PK\5\6"),
    "filling in an image": lambda: Endless(b"\xff\xd8\xff", _HUGE, b"\xff"),
    "texts in gguf": lambda: Endless(gguf(1, 0, _STRINGS), _HUGE, b"\0"),
    "lists in gguf": lambda: Endless(gguf(1, 0, _LISTS), _HUGE, struct.pack("<IQ", 9, 0)),
    "tensors in gguf": lambda: Endless(gguf(0, 10**5, b""), _HUGE, bytes(8)),
    "fields of onnx": lambda: Endless(b"", _HUGE, b"\x08\x01"),
    "graphs of onnx": lambda: Endless(b"\x08\x01", _HUGE, b"\x3a\x00"),
    "nodes of onnx": lambda: Recorded(nodes(500_000)),
    "boxes": lambda: Endless(b"\0\0\0\x10ftypisom\0\0\0\0", _HUGE, b"\0\0\0\x08free"),
    "entries of safetensors": lambda: Recorded(safetensors(100_000)),
    "sizes in safetensors": lambda: Endless(
        struct.pack("<Q", 8_000_000) + b'{"a":{"shape":[', _HUGE, b"1,"
    ),
    "keys of json": lambda: Recorded(b"[" + b"[]," * 330_000 + b"[]]"),
}


@pytest.mark.parametrize("name", sorted(_HOSTILE))
def test_little_is_read_and_the_answer_comes_within_a_second(name: str) -> None:
    reader = _HOSTILE[name]()
    assert cost_of_inspecting(reader) < SECOND
    is_archive = reader.read(0, 2) in (b"PK", b"\x1f\x8b", b"GG")
    assert reader.bytes_read < (ARCHIVE_BYTES if is_archive else PLAIN_BYTES)


def test_a_member_is_inflated_no_further_than_its_beginning() -> None:
    reader = Recorded(words(3, b"a,b\n" * 10_000_000))
    assert inspect(reader).refusal is None
    assert reader.bytes_read < 300_000


def test_a_large_model_is_read_at_its_beginning_and_its_end_only() -> None:
    header = b'{"a":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (_HUGE, _HUGE)
    head = struct.pack("<Q", len(header)) + header
    verdict = inspect(Endless(head, len(head) + _HUGE, b"\1\2\3"))
    assert (verdict.format, verdict.refusal) == ("safetensors", None)


def test_many_pictures_in_an_archive_are_looked_at_one_by_one() -> None:
    picture = image("PNG")
    archive = zipped({f"{number}.png": picture for number in range(5000)}, zipfile.ZIP_STORED)
    verdict = inspect(Recorded(archive))
    assert (verdict.format, verdict.refusal) == ("zip", None)
    assert cost_of_inspecting(Recorded(archive)) < SECOND


def test_an_onnx_model_of_many_nodes_is_accepted() -> None:
    names = [f"layer.{number}.output" for number in range(20_000)]
    graph = onnx.GraphProto(
        node=[onnx.NodeProto(op_type="Relu", input=["x"], output=[name]) for name in names],
        value_info=[onnx.ValueInfoProto(name=name) for name in names],
    )
    verdict = inspect(Recorded(onnx.ModelProto(ir_version=10, graph=graph).SerializeToString()))
    assert (verdict.format, verdict.refusal) == ("onnx", None)
