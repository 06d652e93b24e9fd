"""One Merkle root over all metric series of a run, computed while the points arrive.

A leaf is sha256(0x00, key length, key, points, sha256(steps), sha256(values), sha256(times)) with
lengths as little-endian u32 and u64, the arrays little endian and in logged order; leaves are
sorted by key (as UTF-8) and joined as in RFC 6962: a node is sha256(0x01, left, right).
"""

import hashlib
import struct

from hansard.formats.columns import Numbers
from hansard.formats.merkle import Frontier, leaf

_KEY_LENGTH = struct.Struct("<I")
_POINTS = struct.Struct("<Q")
_ITEM_BYTES = 8


class _Series:
    """The running hashes of one key: memory does not grow with the points."""

    def __init__(self) -> None:
        self.points = 0
        self.hashes = (hashlib.sha256(), hashlib.sha256(), hashlib.sha256())

    def leaf(self, key: bytes) -> bytes:
        head = _KEY_LENGTH.pack(len(key)) + key + _POINTS.pack(self.points)
        return leaf(head + b"".join(each.digest() for each in self.hashes))


class SeriesRoot:
    """Add columns as they were logged; ask for ``count`` and ``root()`` at any time.

    How the points were cut into columns, and the order of different keys, does not change the root.
    """

    def __init__(self) -> None:
        self._series: dict[bytes, _Series] = {}
        self._count = 0

    @property
    def count(self) -> int:
        """The number of points added."""
        return self._count

    def add(self, key: str, steps: Numbers, values: Numbers, times: Numbers) -> None:
        """Add points: int64 steps, float64 values, int64 Unix milliseconds, as in a Column.

        Raises ValueError if the arrays differ in length or their items are not eight bytes.
        """
        arrays = [memoryview(each) for each in (steps, values, times)]
        points = len(arrays[1])
        if any(each.nbytes != points * _ITEM_BYTES or len(each) != points for each in arrays):
            raise ValueError(f"series `{key}`: arrays of different lengths or item sizes")
        if not points:
            return
        series = self._series.setdefault(key.encode(), _Series())
        for running, data in zip(series.hashes, arrays, strict=True):
            running.update(data)
        series.points += points
        self._count += points

    def root(self) -> str:
        """The root in hex; a run without points has the sha256 of nothing, as in RFC 6962."""
        tree = Frontier()
        tree.extend([self._series[key].leaf(key) for key in sorted(self._series)])
        return tree.root().hex()
