"""What the format's library writes is loaded from the parts of the cache, and stays as it was."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hansard.artifacts.scanning import Scanner
from hansard.formats.objects import File, Kind, decode_tree
from hansard.tensor_maps import Framework, map_tensors
from hansard.tensors import TensorError, write_tensors
from tests.unit.test_tensors import TORCH_TYPES, bits, filled

_SIZES = st.sampled_from([(), (0, 3), (1,), (5, 7), (300, 40), (1 << 18, 2)])


def in_parts(source: Path, folder: Path) -> tuple[File, dict[bytes, Path]]:
    """A file as the cache has it: one file for each tree or piece."""
    folder.mkdir()
    with Scanner() as scanner:
        scanned = scanner.scan(source, source.name)
    content, at, places = source.read_bytes(), 0, {}
    for part in scanned.file.body:
        places[part.name] = folder / part.name.hex()
        places[part.name].write_bytes(content[at : at + part.size])
        at += part.size
    trees = {tree.name: raw for tree, raw in scanned.trees}
    assert all(decode_tree(trees[p.name]) for p in scanned.file.body if p.kind is Kind.TREE)
    return scanned.file, places


def loaded(source: Path, folder: Path, framework: Framework = "torch") -> Mapping[str, Any]:
    file, places = in_parts(source, folder)
    return map_tensors({file.path: file}, places, framework)


@given(
    st.dictionaries(
        st.sampled_from([f"layer.{n}.{k}" for n in range(3) for k in "abcd"] + ["head"]),
        st.tuples(st.sampled_from(TORCH_TYPES), _SIZES, st.integers(0, 1000)),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=40, deadline=None)
def test_what_the_library_writes_is_loaded_bit_by_bit(
    tmp_path_factory: pytest.TempPathFactory, plan: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("maps")
    wanted = {name: filled(*each) for name, each in plan.items()}
    safetensors.torch.save_file(wanted, folder / "model.safetensors")
    found = loaded(folder / "model.safetensors", folder / "parts")
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
        assert bits(found[name]) == bits(tensor)


@pytest.mark.parametrize("rows", [10, 100_000, 1_500_000, 6_000_000])
def test_a_tensor_in_one_part_or_across_several_can_be_changed_without_changing_a_file(
    tmp_path: Path, rows: int
) -> None:
    wanted = torch.randn(rows)
    write_tensors({"w": wanted, "counts": torch.arange(3)}, tmp_path / "model.safetensors")
    file, places = in_parts(tmp_path / "model.safetensors", tmp_path / "parts")
    before = {path: path.read_bytes() for path in places.values()}
    found = map_tensors({"m": file}, places, "torch")
    arrays = map_tensors({"m": file}, places, "numpy")
    assert torch.equal(found["w"], wanted)
    found["w"].add_(1)
    arrays["w"][:] = 0
    assert torch.equal(found["w"], wanted + 1)
    assert {path: path.read_bytes() for path in places.values()} == before
    for path in places.values():
        path.unlink()  # evicted
    assert torch.equal(found["w"], wanted + 1)
    assert (arrays["counts"] == [0, 1, 2]).all()


def raw_file(path: Path, document: dict[str, Any], data: bytes) -> Path:
    text = json.dumps(document).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def test_unaligned_tensors_of_other_writers_are_loaded(tmp_path: Path) -> None:
    data = b"\1" + numpy.arange(20_000, dtype="<f8").tobytes()
    entries = {
        "flag": {"dtype": "BOOL", "shape": [1], "data_offsets": [0, 1]},
        "x": {"dtype": "F64", "shape": [20_000], "data_offsets": [1, len(data)]},
    }
    path = raw_file(tmp_path / "odd.safetensors", entries, data)
    for framework in ("torch", "numpy"):
        found = loaded(path, tmp_path / framework, framework)
        assert float(found["x"][-1]) == 19_999
        assert bool(found["flag"][0]) is True


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3", "F8_E8M0", "F4"])
def test_types_that_numpy_lacks_name_torch(tmp_path: Path, dtype: str) -> None:
    width = {"BF16": 2, "F4": 1}.get(dtype, 1)
    count = 2 if dtype == "F4" else 1
    entry = {"x": {"dtype": dtype, "shape": [count], "data_offsets": [0, width]}}
    path = raw_file(tmp_path / "x.safetensors", entry, bytes(width))
    with pytest.raises(TensorError, match=r"`x` is of .* install torch"):
        loaded(path, tmp_path / "parts", "numpy")
    if dtype == "F4":
        with pytest.raises(TensorError, match="this torch does not have"):
            loaded(path, tmp_path / "torch")


@pytest.mark.parametrize("tied", ["[]", "{", '{"b": 3}', '{"b": "none"}', '{"x": "x"}'])
def test_metadata_that_ties_nonsense_is_refused(tmp_path: Path, tied: str) -> None:
    entry = {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}
    document = {"__metadata__": {"hansard.tied": tied}, "x": entry}
    path = raw_file(tmp_path / "x.safetensors", document, b"\0")
    with pytest.raises(TensorError):
        loaded(path, tmp_path / "parts")


def test_tied_tensors_are_one_again_and_a_name_in_two_files_is_refused(tmp_path: Path) -> None:
    weight = torch.randn(4, 4)
    write_tensors({"a": weight, "b": weight}, tmp_path / "1.safetensors")
    file, places = in_parts(tmp_path / "1.safetensors", tmp_path / "parts")
    found = map_tensors({"1": file}, places, None)
    assert found["a"].data_ptr() == found["b"].data_ptr()
    with pytest.raises(TensorError, match="is in two files"):
        map_tensors({"1": file, "2": file}, places, None)


@pytest.mark.parametrize("content", [b"", b"123", b"no tensors in here at all", b"\xff" * 100])
def test_a_file_of_that_name_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(TensorError, match="holds no tensors"):
        loaded(path, tmp_path / "parts")
