"""Tensors that are the files of the cache, mapped into memory: nothing is read before it is used.

Maps are private: what is written to a tensor stays in this process. A mapped file that is evicted
stays readable. Tensors that lie across files of the cache, or unaligned, are copies.
"""

import mmap
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from itertools import accumulate
from math import prod
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy

from hansard.client_errors import Corrupt
from hansard.formats.objects import File
from hansard.formats.safetensors import (
    WIDTHS,
    FormatError,
    Header,
    Tensor,
    header_length,
    parse_header,
)
from hansard.tensors import LIBRARY_NAMES, TIED, TensorError, tied_names

Framework: TypeAlias = Literal["torch", "numpy"]
Maker: TypeAlias = Callable[[Tensor, Any, int], Any]
"""Makes a tensor of a buffer, from an offset on."""

_WORTH_MAPPING = 64 << 10
_MOST_MAPS = 256
"""Each holds a file descriptor; what goes beyond is read."""
_LENGTH_BYTES = 8

_OF_NUMPY = frozenset(
    {"BOOL", "I8", "U8", "I16", "U16", "F16", "I32", "U32", "F32", "I64", "U64", "F64", "C64"}
)


class Parts:
    """A file of an artifact in the cache: parts that follow each other, opened once needed."""

    def __init__(self, file: File, places: Mapping[bytes, Path], budget: Iterator[int]) -> None:
        self._body = file.body
        self._before = file.offset
        self._places = places
        self._budget = budget
        self._ends = list(accumulate(part.size for part in file.body))
        self._buffers: dict[int, Any] = {}

    def stretch(self, start: int, end: int, width: int) -> tuple[Any, int]:
        """A writable buffer with these bytes of the file, and where in it they begin.

        `width` is the alignment in bytes that they need. Raises Corrupt, FileNotFoundError.
        """
        start, end = start + self._before, end + self._before
        index = bisect_right(self._ends, start)
        first = self._ends[index] - self._body[index].size
        if end <= self._ends[index] and (start - first) % width == 0:
            return self._buffer(index), start - first
        joined = bytearray()
        while start < end:
            first = self._ends[index] - self._body[index].size
            stop = min(end, self._ends[index])
            joined += memoryview(self._buffer(index))[start - first : stop - first]
            start, index = stop, index + 1
        return joined, 0

    def _buffer(self, index: int) -> Any:
        found = self._buffers.get(index)
        if found is None:
            part = self._body[index]
            with self._places[part.name].open("rb") as file:
                if part.size < _WORTH_MAPPING or next(self._budget, None) is None:
                    found = bytearray(file.read())
                else:
                    found = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            if len(found) != part.size:
                raise Corrupt("a file of the cache does not have its length")
            self._buffers[index] = found
        return found


def map_tensors(
    files: Mapping[str, File], places: Mapping[bytes, Path], framework: Framework | None
) -> dict[str, Any]:
    """The tensors of safetensors files by name; of torch if it is there, unless it is said.

    Raises TensorError, Corrupt, and FileNotFoundError for what was evicted meanwhile.
    """
    make = _maker(framework)
    budget = iter(range(_MOST_MAPS))
    found: dict[str, Any] = {}
    for path, file in files.items():
        parts = Parts(file, places, budget)
        header = _header(parts, file, path)
        tensors = {tensor.name: _tensor(parts, header, tensor, make) for tensor in header.tensors}
        for name, kept in tied_names(header.metadata.get(TIED, "{}")).items():
            if kept not in tensors or name in tensors:
                raise TensorError(f"`{path}` names `{name}` as tied to `{kept}`, which cannot be")
            tensors[name] = tensors[kept]
        if twice := found.keys() & tensors.keys():
            raise TensorError(f"`{min(twice)}` is in two files of this model, `{path}` the second")
        found |= tensors
    return found


def _header(parts: Parts, file: File, path: str) -> Header:
    try:
        if file.size < _LENGTH_BYTES:
            raise FormatError("the file is too short to be safetensors")
        first, at = parts.stretch(0, _LENGTH_BYTES, 1)
        end = _LENGTH_BYTES + header_length(bytes(first[at : at + _LENGTH_BYTES]), file.size)
        whole, at = parts.stretch(0, end, 1)
        return parse_header(bytes(whole[at : at + end]), file.size)
    except FormatError as error:
        raise TensorError(f"`{path}` holds no tensors: {error}") from None


def _tensor(parts: Parts, header: Header, tensor: Tensor, make: Maker) -> Any:
    if tensor.start == tensor.end:
        return make(tensor, b"", 0)
    start = header.data_start
    width = max(1, WIDTHS[tensor.dtype] // 8)
    return make(tensor, *parts.stretch(start + tensor.start, start + tensor.end, width))


def _maker(framework: str | None) -> Maker:
    if framework not in (None, "torch", "numpy"):
        raise TensorError(f"`{framework}` is neither torch nor numpy")
    if framework == "numpy" or (framework is None and find_spec("torch") is None):
        return _numpy
    try:
        torch = import_module("torch")
    except ImportError:
        raise TensorError(
            "torch is not installed in this environment: framework='numpy' needs none"
        ) from None
    return lambda tensor, buffer, offset: _torch(torch, tensor, buffer, offset)


def _numpy(tensor: Tensor, buffer: Any, offset: int) -> Any:
    if tensor.dtype not in _OF_NUMPY:  # others may be registered there, by whatever was imported
        detail = f"`{tensor.name}` is of {tensor.dtype}, which numpy does not have"
        raise TensorError(f"{detail}: install torch and load it with framework='torch'")
    dtype = numpy.dtype(LIBRARY_NAMES[tensor.dtype]).newbyteorder("<")
    if tensor.start == tensor.end:
        return numpy.empty(tensor.shape, dtype)
    count = prod(tensor.shape)
    return numpy.frombuffer(buffer, dtype, count, offset).reshape(tensor.shape)


def _torch(torch: Any, tensor: Tensor, buffer: Any, offset: int) -> Any:
    dtype = getattr(torch, LIBRARY_NAMES.get(tensor.dtype, ""), None)
    if dtype is None:
        detail = f"`{tensor.name}` is of {tensor.dtype}, which this torch does not have"
        raise TensorError(f"{detail}: pull the files and read it yourself")
    if tensor.start == tensor.end:
        return torch.empty(tensor.shape, dtype=dtype)
    count = prod(tensor.shape)
    flat = torch.frombuffer(buffer, dtype=dtype, count=count, offset=offset)
    return flat.reshape(tensor.shape)
