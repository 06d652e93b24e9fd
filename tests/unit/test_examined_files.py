"""Files that are looked into: written out, and removed whoever was killed meanwhile."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from hansard.formats.objects import Cut, File, Kind, Ref
from infra.artifacts.store import ArtifactStore
from workers.examined_files import sweep, written_out


def test_folders_that_nobody_locks_are_removed(tmp_path: Path) -> None:
    left, used = tmp_path / ".examined-left", tmp_path / ".examined-used"
    for folder in (left, used, tmp_path / "run-1.1"):
        folder.mkdir()
        (folder / "data.csv").write_text("id")
    user = os.open(used, os.O_RDONLY)
    fcntl.flock(user, fcntl.LOCK_EX)
    sweep(tmp_path)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == [".examined-used", "run-1.1"]
    os.close(user)
    sweep(tmp_path)
    assert [folder.name for folder in tmp_path.iterdir()] == ["run-1.1"]


def test_where_nothing_was_ever_looked_into_nothing_is_removed(tmp_path: Path) -> None:
    sweep(tmp_path / "work")
    assert list(tmp_path.iterdir()) == []


class Store:
    """Pieces by name, and how often they were read."""

    def __init__(self, root: list[File], pieces: dict[bytes, bytes]) -> None:
        self.root, self.held, self.reads = root, pieces, 0

    def files(self, root: bytes) -> list[File]:
        return self.root

    def pieces(self, file: File, offset: int, length: int) -> Iterator[bytes]:
        self.reads += 1
        whole = b"".join(self.held[part.name] for part in file.body)
        yield whole[file.offset + offset : file.offset + offset + length]


def test_a_shared_piece_is_read_once_for_all_its_files(tmp_path: Path) -> None:
    contents = {"a.csv": b"id\n1\n", "b.txt": b"x" * 100, "c.csv": b"id\n2\n"}
    piece = Ref(Kind.PIECE, b"p" * 32, 110)
    offsets = {"a.csv": 0, "b.txt": 5, "c.csv": 105}
    files = [
        File(path, len(content), Cut.SHARED, (piece,), offsets[path], b"d" * 32)
        for path, content in contents.items()
    ]
    store = Store(files, {piece.name: b"".join(contents.values())})
    with written_out(cast("ArtifactStore", store), b"root", tmp_path) as paths:
        found = {path.name: path.read_bytes() for path in paths}
    assert (found["a.csv"], found["c.csv"]) == (contents["a.csv"], contents["c.csv"])
    assert found["b.txt"] == b"x" * 64 + bytes(36)
    assert store.reads == 1
