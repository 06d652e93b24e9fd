"""Tensors of torch and numpy become the safetensors files that the format's library writes."""

import json
from pathlib import Path
from typing import Any

import numpy
import pytest
import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hansard.formats.safetensors import parse_header
from hansard.tensors import TIED, TensorError, write_tensors

TORCH_TYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.bool),
    *(torch.uint64, torch.uint32, torch.uint16, torch.uint8),
    *(torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz),
)
_SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)


def filled(dtype: torch.dtype, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """A tensor with any bits; truth values have one."""
    made = torch.Generator().manual_seed(seed)
    count = int(numpy.prod(shape)) * dtype.itemsize
    most = 2 if dtype is torch.bool else 256
    raw = torch.randint(0, most, (count,), dtype=torch.uint8, generator=made)
    return (raw.view(dtype) if count else torch.empty(0, dtype=dtype)).reshape(shape)


def bits(tensor: torch.Tensor) -> bytes:
    flat = tensor.contiguous().reshape(-1)
    return bytes(flat.view(torch.uint8).numpy()) if flat.numel() else b""


@given(
    st.dictionaries(
        st.text('abc.0é"\\', min_size=1, max_size=8),
        st.tuples(st.sampled_from(TORCH_TYPES), _SHAPES, st.integers(0, 1000)),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=150, deadline=None)
def test_what_is_written_the_library_reads_bit_by_bit(
    tmp_path_factory: pytest.TempPathFactory, plan: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("tensors") / "model.safetensors"
    wanted = {name: filled(*each) for name, each in plan.items()}
    write_tensors(wanted, path)
    found = safetensors.torch.load_file(path)
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
        assert bits(found[name]) == bits(tensor)


def test_the_data_is_byte_by_byte_what_the_library_writes(tmp_path: Path) -> None:
    tensors = {f"layer.{n}": filled(dtype, (3, 2), n) for n, dtype in enumerate(TORCH_TYPES)}
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    write_tensors(tensors, ours)
    safetensors.torch.save_file(tensors, theirs)
    for path in (ours, theirs):
        raw = path.read_bytes()
        assert int.from_bytes(raw[:8], "little") % 8 == 0
    assert data_of(ours) == data_of(theirs)


def data_of(path: Path) -> bytes:
    """What follows the header, with the types in one order: the library's own may differ."""
    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = parse_header(raw[:start], len(raw))
    tensors = sorted(header.tensors, key=lambda tensor: tensor.name)
    return b"".join(raw[start + t.start : start + t.end] for t in tensors)


def test_arrays_of_numpy_are_written_in_little_endian_and_in_order(tmp_path: Path) -> None:
    wanted: dict[str, Any] = {
        "big": numpy.arange(6, dtype=">i4").reshape(2, 3),
        "turned": numpy.arange(6, dtype="float64").reshape(2, 3).T,
        "scalar": numpy.float32(1.5),
        "none": numpy.empty((0, 3), "uint8"),
        "truth": numpy.array([True, False]),
    }
    path = tmp_path / "model.safetensors"
    write_tensors(wanted, path)
    found = safetensors.numpy.load_file(path)
    for name, array in wanted.items():
        assert found[name].shape == array.shape
        assert (found[name] == array).all()


def test_tensors_that_are_one_are_stored_once_and_named(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False), torch.nn.Linear(4, 4, bias=False))
    net[1].weight = net[0].weight
    path = tmp_path / "model.safetensors"
    write_tensors(net.state_dict(), path)
    with safetensors.safe_open(path, "pt") as file:
        assert list(file.keys()) == ["0.weight"]
        assert json.loads(file.metadata()[TIED]) == {"1.weight": "0.weight"}


def test_parts_of_one_storage_are_stored_each_by_itself(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    wanted = {"whole": whole, "row": whole[1], "column": whole[:, 1], "turned": whole.T}
    path = tmp_path / "model.safetensors"
    write_tensors(wanted, path)
    found = safetensors.torch.load_file(path)
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


def test_equal_tensors_become_equal_bytes_in_any_order(tmp_path: Path) -> None:
    one = {"b": torch.ones(3), "a": torch.zeros(2, dtype=torch.int64)}
    write_tensors(one, tmp_path / "1")
    write_tensors(dict(reversed(one.items())), tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({}, "no tensors"),
        ({"a": [1.0]}, "`a` is a list"),
        ({"a": object()}, "`a` is a object"),
        ({"a": torch.ones(2).to_sparse()}, "sparse"),
        ({"a": torch.ones(2, device="meta")}, "meta device"),
        ({"a": torch.ones(2, dtype=torch.complex128)}, "complex128"),
        ({"a": numpy.array(["x"])}, "<U1"),
        ({"a": numpy.array([object()])}, "object"),
        ({"__metadata__": torch.ones(1)}, "cannot be the name"),
        ({"a\0": torch.ones(1)}, "cannot be the name"),
        ({"\ud800": torch.ones(1)}, "not text"),
        ({3: torch.ones(1)}, "cannot be the name"),
        ({"x" * (9 << 20): torch.ones(1)}, "too long"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name_and_leaves_no_file(
    tmp_path: Path, tensors: dict[Any, Any], says: str
) -> None:
    with pytest.raises(TensorError, match=says):
        write_tensors(tensors, tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())
