"""Tensors of torch and numpy as safetensors files, without the format's library.

Tensors that share one storage are stored once; the metadata names the others.
Source: the safetensors format, https://huggingface.co/docs/safetensors.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy

from hansard.client_errors import HansardError
from hansard.formats.safetensors import MAX_ENTRIES, MAX_HEADER_BYTES, WIDTHS

TIED = "hansard.tied"
"""Name of the metadata: a JSON object of a tensor left out to the one that it is."""

_NAMES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
    "complex64": "C64",
    "float8_e8m0fnu": "F8_E8M0",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2": "F8_E5M2",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
}
LIBRARY_NAMES: Mapping[str, str] = MappingProxyType({name: key for key, name in _NAMES.items()})
"""What torch and numpy call a type of the format; 4- and 6-bit numbers are nobody's."""

_LENGTH_BYTES = 8
_ALIGNED = 8


class TensorError(HansardError):
    """Tensors cannot be written or read as asked; the message names the first."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One tensor on its way into a file."""

    name: str
    dtype: str
    shape: Sequence[int]
    value: Any

    @property
    def size(self) -> int:
        return prod(self.shape) * WIDTHS[self.dtype] // 8


def write_tensors(tensors: Mapping[str, Any], path: Path) -> None:
    """Write tensors of torch, arrays of numpy or both to a new file, one in memory at a time.

    Equal tensors become equal bytes. Raises TensorError, FileExistsError, OSError.
    """
    kept, tied = _without_ties(tensors)
    if not kept:
        raise TensorError("there are no tensors to save")
    entries = [_entry(name, value) for name, value in kept.items()]
    # As the library sorts them: the widest first, so that all are aligned.
    entries.sort(key=lambda entry: (-WIDTHS[entry.dtype], entry.name))
    header = _header(entries, tied)
    with path.open("xb") as file:
        file.write(header)
        for entry in entries:
            file.write(_raw(entry.value))


def tied_names(text: str) -> dict[str, str]:
    """What the metadata says of tied tensors. Raises TensorError for what is no such text."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    texts = isinstance(found, dict) and all(isinstance(name, str) for name in found.values())
    if not texts:
        raise TensorError("the metadata of the tensors does not say which are tied")
    return dict(found)


def is_tensor(value: object) -> bool:
    """Whether it is a tensor of torch or an array of numpy."""
    return _is_torch(value) or isinstance(value, numpy.ndarray | numpy.generic)


def _is_torch(value: object) -> bool:
    torch = sys.modules.get("torch")  # whoever made a tensor has imported it
    return torch is not None and isinstance(value, torch.Tensor)


def _without_ties(tensors: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The tensors to store, and for each of the others the one that it is."""
    first: dict[object, str] = {}
    kept: dict[str, Any] = {}
    tied: dict[str, str] = {}
    for name, value in tensors.items():
        _check_name(name)
        if not is_tensor(value):
            detail = f"`{name}` is a {type(value).__name__}, not a tensor of torch or numpy"
            raise TensorError(f"{detail}: only tensors can be kept without pickling")
        place = _place(value)
        if place is None or (other := first.setdefault(place, name)) == name:
            kept[name] = value
        else:
            tied[name] = other
    return kept, tied


def _check_name(name: object) -> None:
    if not isinstance(name, str) or name == "__metadata__" or "\0" in name:
        raise TensorError(f"{name!r} cannot be the name of a tensor")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise TensorError(f"{name!r} cannot be the name of a tensor: it is not text") from None


def _place(value: Any) -> object:
    """Equal for tensors that are the same stretch of memory; None where there is none."""
    if _is_torch(value):
        if not value.numel() or value.layout is not sys.modules["torch"].strided:
            return None
        where = (str(value.device), value.data_ptr())
        return (*where, value.dtype, tuple(value.shape), value.stride(), value.is_conj())
    if not value.size or isinstance(value, numpy.generic):
        return None
    return ("numpy", value.ctypes.data, value.dtype, value.shape, value.strides)


def _entry(name: str, value: Any) -> _Entry:
    library_name = str(value.dtype).removeprefix("torch.") if _is_torch(value) else value.dtype.name
    dtype = _NAMES.get(library_name)
    if dtype is None:
        raise TensorError(f"`{name}` is of {value.dtype}, which safetensors does not have")
    if _is_torch(value) and (value.is_sparse or str(value.layout) != "torch.strided"):
        raise TensorError(f"`{name}` is sparse: save its `.to_dense()`")
    if _is_torch(value) and value.is_meta:
        raise TensorError(f"`{name}` is on the meta device: it has no content")
    return _Entry(name, dtype, tuple(map(int, value.shape)), value)


def _header(entries: Sequence[_Entry], tied: Mapping[str, str]) -> bytes:
    if len(entries) > MAX_ENTRIES:
        raise TensorError(f"{len(entries)} tensors, at most {MAX_ENTRIES}")
    metadata = {"format": "pt" if any(_is_torch(entry.value) for entry in entries) else "np"}
    if tied:
        metadata[TIED] = json.dumps(tied, sort_keys=True)
    document = {"__metadata__": metadata, **dict(_places(entries))}
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _ALIGNED)
    if len(text) > MAX_HEADER_BYTES - _LENGTH_BYTES:
        raise TensorError("the names of the tensors are too long for one file")
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text


def _places(entries: Sequence[_Entry]) -> Iterator[tuple[str, dict[str, Any]]]:
    at = 0
    for entry in entries:
        end = at + entry.size
        yield entry.name, {"dtype": entry.dtype, "shape": entry.shape, "data_offsets": [at, end]}
        at = end


def _raw(value: Any) -> Any:
    """The bytes of a tensor in order, little endian: a view where that is what memory holds."""
    if not _is_torch(value):
        swapped = value.dtype.byteorder == ">"
        plain = numpy.ascontiguousarray(value, value.dtype.newbyteorder("<") if swapped else None)
        return plain.reshape(-1).view(numpy.uint8).data
    if not value.numel():
        return b""
    flat = value.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return flat.view(sys.modules["torch"].uint8).numpy().data
