"""What the tensors of safetensors files need at least: unique raw bytes, and their entropy."""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

_BATCH = 1 << 20


@dataclass(frozen=True, slots=True)
class RawTensor:
    """One tensor as it lies in a file."""

    name: str
    shape: tuple[int, ...]
    data: NDArray[np.uint8]
    """Its bytes, mapped: one dimension."""

    @property
    def width(self) -> int:
        """Bytes per element; 1 where there are none."""
        return len(self.data) // elements if (elements := math.prod(self.shape)) else 1


def raw_tensors(path: Path) -> Iterator[RawTensor]:
    """The tensors of a safetensors file, in the order of its header."""
    file = np.memmap(path, np.uint8, mode="r")
    start = 8 + int.from_bytes(file[:8].tobytes(), "little")
    header = json.loads(file[8:start].tobytes())
    header.pop("__metadata__", None)
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        yield RawTensor(name, tuple(entry["shape"]), file[start + first : start + end])


class TensorFloor:
    """What a set of models needs at least, model by model.

    Tensors with the same bytes count once, whatever their names. Of each other tensor of n elements
    of w bytes, byte plane k is the k-th byte of every element; with c(b) the number of times the
    byte b stands in it, the plane needs `n log2 n - sum of c(b) log2 c(b)` bits (its order-0
    entropy, as if both sides knew the counts). The sum over planes and tensors is the floor of any
    coder that codes each byte of a plane on its own. Headers, names and indexes are not in it.
    """

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._bits = 0.0
        self._raw = 0

    def add(self, path: Path) -> None:
        """Count the tensors of a safetensors file that were not counted before."""
        for tensor in raw_tensors(path):
            digest = blake3(tensor.data.data).digest()
            if digest in self._seen:
                continue
            self._seen.add(digest)
            self._raw += len(tensor.data)
            planes = tensor.data.reshape(-1, tensor.width).T
            self._bits += sum(_entropy_bits(plane) for plane in planes)

    @property
    def unique_raw_bytes(self) -> int:
        """Bytes of all tensors, the same bytes once."""
        return self._raw

    @property
    def entropy_bytes(self) -> int:
        """The floor, rounded up to a byte."""
        return math.ceil(self._bits / 8)


def entropy_floor(paths: Iterable[Path]) -> int:
    """Bytes that the models need at least: see `TensorFloor`."""
    return _floor(paths).entropy_bytes


def unique_raw_bytes(paths: Iterable[Path]) -> int:
    """Bytes of all tensors of the models, the same bytes once."""
    return _floor(paths).unique_raw_bytes


def _floor(paths: Iterable[Path]) -> TensorFloor:
    floor = TensorFloor()
    for path in paths:
        floor.add(path)
    return floor


def _entropy_bits(plane: NDArray[np.uint8]) -> float:
    counts = np.zeros(256, np.int64)
    for at in range(0, len(plane), _BATCH):
        counts += np.bincount(plane[at : at + _BATCH], minlength=256)
    present = counts[counts > 0].astype(np.float64)
    total = float(len(plane))
    return max(0.0, total * math.log2(total) - float(present @ np.log2(present))) if total else 0.0
