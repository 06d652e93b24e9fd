"""Merkle trees as in RFC 9162 (and 6962): roots that grow, proofs of inclusion and of consistency.

Hashes are SHA-256; a leaf begins with 0x00 and a node with 0x01, so neither can be taken for the
other. Proofs are made from a function that answers the hash of a whole subtree by level and index.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence

HASH_BYTES = 32
EMPTY = hashlib.sha256().digest()

Nodes = Callable[[int, int], bytes]
"""The hash of the subtree over leaves [index << level, (index + 1) << level)."""


def leaf(data: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def joined(subtrees: Sequence[bytes]) -> bytes:
    """The root over subtrees that get smaller from left to right; of nothing, the hash of b''."""
    if not subtrees:
        return EMPTY
    root = subtrees[-1]
    for left in reversed(subtrees[:-1]):
        root = node(left, root)
    return root


class Frontier:
    """A tree of which only the right edge is kept: memory is logarithmic in its leaves."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """`peaks` are the whole subtrees of a tree of `size` leaves, the largest first.

        Raises ValueError if they are not as many as that size has.
        """
        if size < 0 or len(peaks) != size.bit_count():
            raise ValueError(f"{len(peaks)} peaks for a tree of {size} leaves")
        self.size = size
        given = iter(reversed(peaks))
        levels = range(size.bit_length())
        self._edge = [next(given) if size >> level & 1 else None for level in levels]

    @property
    def peaks(self) -> list[bytes]:
        """The whole subtrees of which the tree consists, the largest first."""
        return [peak for peak in reversed(self._edge) if peak is not None]

    def root(self) -> bytes:
        """The root over all leaves so far."""
        return joined(self.peaks)

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes at the right."""
        self.size += len(leaves)
        nodes, level = list(leaves), 0
        while nodes:
            if level == len(self._edge):
                self._edge.append(None)
            waiting = self._edge[level]
            if waiting is not None:
                nodes.insert(0, waiting)
            self._edge[level] = nodes.pop() if len(nodes) % 2 else None
            pairs = zip(nodes[::2], nodes[1::2], strict=True)
            nodes = [node(left, right) for left, right in pairs]
            level += 1


class Span:
    """The subtrees at the right of a frontier, from the leaves behind it; callable as `Nodes`.

    It also knows the peaks of the frontier: all that proofs about these leaves ask for.
    """

    def __init__(self, frontier: Frontier, leaves: Sequence[bytes]) -> None:
        self._base = frontier.size
        self._levels: list[dict[int, bytes]] = [
            {self._base + number: each for number, each in enumerate(leaves)}
        ]
        self._peaks = {
            (level, (self._base >> level) - 1): peak
            for level, peak in enumerate(frontier._edge)
            if peak is not None
        }

    def __call__(self, level: int, index: int) -> bytes:
        """Raises KeyError for a subtree that is not known whole."""
        if (level, index) in self._peaks:
            return self._peaks[level, index]
        if level == 0:
            return self._levels[0][index]
        while len(self._levels) <= level:
            self._levels.append({})
        known = self._levels[level]
        if index not in known:
            known[index] = node(self(level - 1, 2 * index), self(level - 1, 2 * index + 1))
        return known[index]


def inclusion_path(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """The hashes beside the way from leaf `index` up to the root of the first `size` leaves.

    Raises ValueError if the leaf is not among them.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not among {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_root_of(middle, end, nodes))
            end = middle
        else:
            path.append(_root_of(start, middle, nodes))
            start = middle
    return path[::-1]


def consistency_path(first: int, size: int, nodes: Nodes) -> list[bytes]:
    """The hashes that show the tree of `first` leaves to be the beginning of that of `size`.

    Raises ValueError unless 0 < first <= size.
    """
    if not 0 < first <= size:
        raise ValueError(f"a tree of {first} leaves is no beginning of one of {size}")
    path: list[bytes] = []
    start, end, whole = 0, size, True
    while end != first:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(_root_of(middle, end, nodes))
            end = middle
        else:
            path.append(_root_of(start, middle, nodes))
            start, whole = middle, False
    if not whole:
        path.append(_root_of(start, end, nodes))
    return path[::-1]


def is_included(
    leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> bool:
    """Whether a path leads from the leaf at `index` to the root of a tree of `size` leaves."""
    if not 0 <= index < size:
        return False
    found, last = leaf_hash, size - 1
    for beside in path:
        if last == 0:
            return False
        if index & 1 or index == last:
            found = node(beside, found)
            index, last = _up_to_right_child(index, last)
        else:
            found = node(found, beside)
        index, last = index >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(
    first: int, size: int, path: Sequence[bytes], first_root: bytes, root: bytes
) -> bool:
    """Whether a path shows the tree of `first` leaves to be the beginning of that of `size`."""
    if not 0 < first < size:
        return 0 < first == size and not path and first_root == root
    hashes = [first_root, *path] if first & (first - 1) == 0 else list(path)
    index, last = first - 1, size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    old = new = hashes[0] if hashes else b""
    for beside in hashes[1:]:
        if last == 0:
            return False
        if index & 1 or index == last:
            old, new = node(beside, old), node(beside, new)
            index, last = _up_to_right_child(index, last)
        else:
            new = node(new, beside)
        index, last = index >> 1, last >> 1
    return last == 0 and old == first_root and new == root


def _up_to_right_child(index: int, last: int) -> tuple[int, int]:
    """Up the levels on which the subtree at the right edge has no neighbour."""
    while not index & 1 and index:
        index, last = index >> 1, last >> 1
    return index, last


def _split(count: int) -> int:
    """How many of `count` leaves are in the left subtree: a power of two, and fewer than all."""
    return int(1 << (count - 1).bit_length() - 1)


def _root_of(start: int, end: int, nodes: Nodes) -> bytes:
    return joined(list(_whole_subtrees(start, end, nodes)))


def _whole_subtrees(start: int, end: int, nodes: Nodes) -> Iterator[bytes]:
    while start < end:
        level = (end - start).bit_length() - 1
        yield nodes(level, start >> level)
        start += 1 << level
