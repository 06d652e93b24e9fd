"""Checks an artifact before it is committed: whole, allowed, of the sizes it says, harmless."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from hansard.formats.objects import File, Kind, ObjectError, Root, decode_root
from hansard.formats.paths import check_paths
from hansard.formats.problems import BundleError
from infra.artifacts import descent, index, reading
from infra.artifacts.descent import Accepted
from infra.artifacts.index import Names
from infra.artifacts.storage import Storage
from infra.database import Connection

Reachable = Callable[[set[bytes]], set[bytes]]
"""Which of these names the caller may read in artifacts that are committed."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a root that may be committed holds: leaves that were accepted before, and new ones."""

    root: Root
    accepted: Mapping[bytes, Accepted]
    new: tuple[bytes, ...]

    def require_whole(self, new: Mapping[bytes, Accepted]) -> None:
        """Raise ObjectError unless the leaves, of the new ones as given, make up the root."""
        facts = {**self.accepted, **new}
        _check_whole(self.root, [facts[leaf.name] for leaf in self.root.leaves])


class Incomplete(Exception):
    """Objects that must be sent first, or again."""

    def __init__(self, names: Iterable[bytes]) -> None:
        self.names = sorted(names)
        super().__init__(f"{len(self.names)} objects are missing")


class ClosureCheck:
    """Walks down from a root through what this upload sent; what others committed is whole."""

    def __init__(
        self, storage: Storage, connection: Connection, upload: str, reachable: Reachable
    ) -> None:
        self._storage = storage
        self._connection = connection
        self._upload = upload
        self._reachable = reachable

    def check(self, root: bytes) -> Checked:
        """Raises Incomplete, and ObjectError for what can never be committed."""
        if index.allowed(self._connection, self._upload, [root]):
            self._descend(root)
        elif self._is_unsound(root) or root not in self._reachable({root}):
            raise Incomplete([root])
        index.protect(self._connection, self._upload, [root])
        self._require_kind(root)
        top = decode_root(self._raw([root])[root])
        names = [leaf.name for leaf in top.leaves]
        accepted = descent.accepted_leaves(self._connection, names)
        new = dict.fromkeys(name for name in names if name not in accepted)
        return Checked(top, accepted, tuple(new))

    def _require_kind(self, root: bytes) -> None:
        found = index.places(self._connection, [root])
        if not found:
            raise Incomplete([root])
        if found[root].kind is not Kind.ROOT:
            raise ObjectError(f"{root.hex()} is no root")

    def _is_unsound(self, root: bytes) -> bool:
        """Whether something below it is damaged."""
        return bool(index.unsound(self._connection, [root]))

    def _descend(self, root: bytes) -> None:
        self._require_kind(root)
        nodes, sound = {root}, not self._is_unsound(root)
        while nodes:
            descent.protect_children(self._connection, self._upload, nodes)
            absent = descent.absent_children(self._connection, nodes)
            unsent = descent.unsent_children(self._connection, self._upload, nodes)
            # What others have is told apart from what nobody has by no answer: missing comes first.
            if lacking := absent | (unsent - self._reachable(unsent) if unsent else set()):
                raise Incomplete(lacking)
            wrong = descent.misdescribed_child(self._connection, nodes)
            if wrong is not None:
                raise ObjectError(f"{wrong.hex()} is not of the kind or size that is said of it")
            nodes = descent.nodes_below(self._connection, nodes) - unsent
            if sound:
                nodes = self._unknown(nodes)

    def _unknown(self, nodes: set[bytes]) -> set[bytes]:
        """Without leaves that a commit went through before, as far as the caller may read it.

        Who sent a leaf only need not have what it names: for others it proves nothing.
        """
        known = set(descent.accepted_leaves(self._connection, nodes))
        return nodes - self._reachable(known) if known else nodes

    def _raw(self, names: Names) -> dict[bytes, bytes]:
        try:
            found = reading.read_objects(self._storage, self._connection, names)
        except reading.ObjectsMissing as missing:
            raise Incomplete(missing.names) from None
        return {name: bytes(raw) for name, raw in found.items()}


def facts_of(files: tuple[File, ...], formats: Iterable[str] = ()) -> Accepted:
    """What a commit has to know of a leaf."""
    first, last = files[0].path.encode(), files[-1].path.encode()
    size = sum(file.size for file in files)
    return Accepted(len(files), size, first, last, frozenset(formats))


def check_files(files: tuple[File, ...]) -> None:
    """Raise ObjectError for paths that are not accepted."""
    try:
        check_paths(file.path for file in files)
    except BundleError as error:
        raise ObjectError(str(error)) from None


def _check_whole(top: Root, leaves: list[Accepted]) -> None:
    """The leaves make up the root. Paths that differ in case only are for the client to notice."""
    counted = (sum(leaf.files for leaf in leaves), sum(leaf.size for leaf in leaves))
    if counted != (top.files, top.size):
        raise ObjectError("the root's size or number of files is not that of its leaves")
    if any(before.last >= after.first for before, after in pairwise(leaves)):
        raise ObjectError("the leaves are not sorted by their paths")
    if any(after.first.startswith(before.last + b"/") for before, after in pairwise(leaves)):
        raise ObjectError("a file and a folder have one path")
