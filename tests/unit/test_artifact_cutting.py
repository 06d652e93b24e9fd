"""Where files are cut, fixed for ever: what two files have in common must get the same names."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from blake3 import blake3

from hansard.artifacts.scanning import Scanned, Scanner
from hansard.formats.cutting import (
    CONTENT_RULE,
    Span,
    content_sizes,
    gather,
    layer_of,
    leaf_ends,
    tensor_spans,
)
from hansard.formats.objects import MAX_PIECE_BYTES, Cut, Kind, decode_tree
from hansard.formats.safetensors import parse_header

MB = 1 << 20
Tensors = Mapping[str, tuple[str, list[int], bytes]]


def content(size: int = MB, seed: int = 4) -> bytes:
    return random.Random(seed).randbytes(size)


def safetensors(tensors: Tensors) -> bytes:
    """A file of tensors in the order given."""
    header, at = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(d for _, _, d in tensors.values())


def floats(count: int, seed: int) -> tuple[str, list[int], bytes]:
    data = np.random.default_rng(seed).normal(size=count).astype(np.float32).tobytes()
    return "F32", [count], data


def model(head: int = 0, layers: int = 3) -> dict[str, tuple[str, list[int], bytes]]:
    found = {}
    for layer in range(layers):
        for part in range(5):
            found[f"encoder.{layer}.part{part}"] = floats(3000, 10 * layer + part)
    return found | {"head.weight": floats(2500, 1000 + head)}


def scanned(folder: Path, data: bytes) -> Scanned:
    path = folder / "file"
    path.write_bytes(data)
    with Scanner() as scanner:
        found = scanner.scan(path, "file")
    check_whole(found, data)
    return found


def check_whole(found: Scanned, data: bytes) -> None:
    """The pieces are the file, in order, each with its name; the body names them all."""
    assert b"".join(data[s.offset : s.offset + s.size] for s in found.spans) == data
    for span, name in zip(found.spans, found.names, strict=True):
        assert 0 < span.size <= MAX_PIECE_BYTES
        assert blake3(data[span.offset : span.offset + span.size]).digest() == name
    trees = {ref.name: raw for ref, raw in found.trees}
    names = []
    for part in found.file.body:
        inner = decode_tree(trees[part.name]) if part.kind is Kind.TREE else (part,)
        assert sum(piece.size for piece in inner) == part.size
        names += [piece.name for piece in inner]
    assert names == list(found.names)
    assert found.file.size == len(data)


def test_content_is_cut_where_it_always_was() -> None:
    """Another version of the library that cut elsewhere would send every file again."""
    assert CONTENT_RULE is Cut.CONTENT
    assert content_sizes(memoryview(content()), last=True) == GOLDEN_SIZES


GOLDEN_SIZES = [72943, 179266, 58273, 25703, 170025, 103246, 81583, 89582, 76860, 90734, 100361]
GOLDEN_NAMES = ["ec8040a8806cb4b4", "956914ea4506b5b3", "71e0a99173564931"]


def test_a_safetensors_file_gets_the_names_it_always_had(tmp_path: Path) -> None:
    data = np.arange(6000, dtype=np.float32).tobytes()
    tensors = {f"layer.0.part{n}": ("F32", [6000], data) for n in range(4)}
    tensors |= {"head": ("I64", [1], bytes(8))}
    found = scanned(tmp_path, safetensors(tensors))
    assert [part.name.hex()[:16] for part in found.file.body] == GOLDEN_NAMES


def test_a_byte_inserted_changes_the_pieces_around_it_only(tmp_path: Path) -> None:
    data = content(4 * MB)
    old = scanned(tmp_path, data)
    new = scanned(tmp_path, data[: 2 * MB] + b"!" + data[2 * MB :])
    assert len(old.names) > 30
    assert len(set(new.names) - set(old.names)) <= 3


def test_windows_do_not_change_where_content_is_cut(tmp_path: Path) -> None:
    """A large file is read in windows; the cuts are those of its whole content."""
    data = content(40 * MB)
    found = scanned(tmp_path, data)
    assert [span.size for span in found.spans] == content_sizes(memoryview(data), last=True)


def test_trees_end_by_content_so_that_an_insertion_leaves_the_others() -> None:
    names = [blake3(bytes([n >> 8, n & 255])).digest() for n in range(4000)]
    spans = [Span(n * 65_536, 65_536) for n in range(4000)]
    old, trees = gather(Cut.CONTENT, spans, names)
    changed = [*names[:2000], bytes(reversed(names[0])), *names[2000:]]
    new, _ = gather(Cut.CONTENT, [*spans, Span(4000 * 65_536, 65_536)], changed)
    assert len(trees) > 8
    assert len(set(old) - set(new)) == 1


def test_a_new_head_leaves_the_trees_of_the_backbone(tmp_path: Path) -> None:
    old = scanned(tmp_path, safetensors(model(head=1)))
    new = scanned(tmp_path, safetensors(model(head=2)))
    assert old.file.cut is Cut.TENSORS
    assert {tree.name for tree, _ in old.trees} == {tree.name for tree, _ in new.trees}
    assert len(old.trees) == 3
    assert len(set(new.names) - set(old.names)) == 1


def test_tied_tensors_are_one_piece(tmp_path: Path) -> None:
    same = floats(9000, 1)
    found = scanned(tmp_path, safetensors({"a.weight": same, "b.weight": same}))
    assert len(found.names) == 3
    assert len(set(found.names)) == 2


def test_elements_of_every_width_are_cut_as_tensors(tmp_path: Path) -> None:
    tensors = {
        "empty": ("F32", [0, 4], b""),
        "scalar": ("F32", [], bytes(4)),
        "fp8": ("F8_E4M3", [20_000], content(20_000)),
        "flags": ("BOOL", [3], b"\1\0\1"),
        "ids": ("I64", [2], bytes(16)),
        "half": ("BF16", [4000], bytes(8000)),
        "none": ("U8", [0], b""),
    }
    found = scanned(tmp_path, safetensors(tensors))
    assert found.file.cut is Cut.TENSORS
    width_of = {(span.size, span.width, span.rotated) for span in found.spans[1:]}
    expected = {(4, 4, True), (20_000, 1, False), (3, 1, False), (16, 8, False), (8000, 2, True)}
    assert width_of == expected


def test_a_header_of_a_hundred_thousand_tensors_is_cut() -> None:
    data = safetensors({f"t{n}": ("U8", [1], b"x") for n in range(100_000)})
    length = int.from_bytes(data[:8], "little") + 8
    spans = tensor_spans(parse_header(data[:length], len(data)))
    assert len(spans) == 100_000 + -(-length // MAX_PIECE_BYTES)
    assert [span.offset for span in spans[-2:]] == [len(data) - 2, len(data) - 1]


def test_tensors_larger_than_a_piece_are_cut_into_equal_steps(tmp_path: Path) -> None:
    found = scanned(tmp_path, safetensors({"big.weight": ("U8", [9 * MB], content(9 * MB))}))
    assert [span.size for span in found.spans[1:]] == [4 * MB, 4 * MB, MB]


@pytest.mark.parametrize("broken", ["a hole", "beyond the end", "no json", "too large"])
def test_what_only_looks_like_tensors_is_cut_by_content(tmp_path: Path, broken: str) -> None:
    good = safetensors({"a": ("U8", [20_000], content(20_000)), "b": ("U8", [9], b"x" * 9)})
    data = {
        "a hole": good.replace(b"[20000, 20009]", b"[20001, 20010]"),
        "beyond the end": good[:-1],
        "no json": good.replace(b"{", b"[", 1),
        "too large": (9 * MB).to_bytes(8, "little") + good[8:],
    }[broken]
    assert data != good
    assert scanned(tmp_path, data).file.cut is Cut.CONTENT


def test_tensors_out_of_order_are_cut_in_the_order_of_their_data(tmp_path: Path) -> None:
    header = {
        "b": {"dtype": "U8", "shape": [20_000], "data_offsets": [30_000, 50_000]},
        "a": {"dtype": "U8", "shape": [30_000], "data_offsets": [0, 30_000]},
    }
    text = json.dumps(header).encode()
    found = scanned(tmp_path, len(text).to_bytes(8, "little") + text + content(50_000))
    assert [span.size for span in found.spans[1:]] == [30_000, 20_000]


@pytest.mark.parametrize("size", [1, 2, 16 << 10, (16 << 10) + 1, MB])
def test_files_of_any_size_are_whole(tmp_path: Path, size: int) -> None:
    found = scanned(tmp_path, content(size))
    assert len(found.names) >= 1


def test_an_empty_file_has_no_piece(tmp_path: Path) -> None:
    found = scanned(tmp_path, b"")
    assert (found.file.body, found.names) == ((), ())


def test_a_layer_is_a_name_up_to_its_first_number() -> None:
    names = {
        "encoder.layer.3.attention.weight": "encoder.layer.3",
        "encoder.layer.31.x": "encoder.layer.31",
        "embeddings.word.weight": "embeddings.word",
        "head.weight": "head",
        "weight": "weight",
        "": "",
        ".": "",
    }
    assert {name: layer_of(name) for name in names} == names


def test_few_pieces_are_named_by_the_file_itself(tmp_path: Path) -> None:
    found = scanned(tmp_path, content(100_000))
    assert all(part.kind is Kind.PIECE for part in found.file.body)
    assert gather(Cut.CONTENT, [], []) == ((), [])


def test_a_leaf_ends_by_the_name_of_a_file_or_by_its_size() -> None:
    ends = [n for n in range(10_000) if leaf_ends(f"images/{n}.png".encode(), 100)]
    assert 5 <= len(ends) <= 60
    assert ends == [n for n in range(10_000) if crc32(f"images/{n}.png".encode()) % 512 == 0]
    assert leaf_ends(b"whatever", MB)
