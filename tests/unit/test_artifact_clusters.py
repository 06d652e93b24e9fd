"""Small files share pieces: where these end is fixed for ever, and a change moves few of them."""

import os
import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from hansard.artifacts import clusters
from hansard.artifacts.assembling import Assembled, assemble, local_files
from hansard.artifacts.memo import Memo
from hansard.artifacts.scanning import FileChanged
from hansard.formats.cutting import cluster_ends
from hansard.formats.objects import (
    MAX_CLUSTER_BYTES,
    MAX_SHARED_BYTES,
    Cut,
    File,
    Kind,
    decode_leaf,
    decode_root,
)

GOLDEN = [104885, 185640, 134115, 82639, 70294, 5064]


def contents(count: int, seed: int = 7) -> dict[str, bytes]:
    chance = random.Random(seed)
    return {
        f"{number // 100:02d}/{number:04d}.txt": chance.randbytes(chance.randint(1, 4000))
        for number in range(count)
    }


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The files and no others, settled long ago."""
    for path in list(folder.rglob("*")) if folder.exists() else []:
        if path.is_file() and path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
    return folder


def listed(found: Assembled) -> list[File]:
    """The files of an assembled artifact, checked as a reader does."""
    leaves = decode_root(found.nodes[found.root][1]).leaves
    return [file for leaf in leaves for file in decode_leaf(found.nodes[leaf.name][1])]


def sizes(found: Assembled) -> list[int]:
    return [source.span.size for source in found.sources.values()]


def read_back(found: Assembled, file: File) -> bytes:
    """The content of a file as its record says."""
    whole = b"".join(found.held[part.name] for part in file.body)
    return whole[file.offset : file.offset + file.size]


def test_clusters_end_where_they_always_did(tmp_path: Path) -> None:
    found = assemble(local_files(write(tmp_path, contents(300))), None)
    assert sizes(found) == GOLDEN


def test_every_file_is_a_stretch_of_a_piece_with_the_digest_of_its_content(tmp_path: Path) -> None:
    files = contents(300) | {"empty": b"", "most": bytes(MAX_SHARED_BYTES)}
    found = assemble(local_files(write(tmp_path, files)), None)
    assert [file.path for file in listed(found)] == sorted(files)
    for file in listed(found):
        assert read_back(found, file) == files[file.path]
        assert file.digest == blake3(files[file.path]).digest()
        assert file.cut is (Cut.SHARED if file.size else Cut.FIXED)
    assert found.size == sum(map(len, files.values()))


def test_what_is_too_large_or_alone_shares_nothing(tmp_path: Path) -> None:
    files = {"a": b"alone", "b": bytes(MAX_SHARED_BYTES + 1)}
    one, large = listed(assemble(local_files(write(tmp_path, files)), None))
    assert (one.cut, one.body[0].name) == (Cut.FIXED, blake3(b"alone").digest())
    assert (large.cut, large.size) == (Cut.CONTENT, MAX_SHARED_BYTES + 1)


def test_large_files_between_small_ones_do_not_part_them(tmp_path: Path) -> None:
    files = {"a": b"first", "b": os.urandom(40_000), "c": b"second"}
    first, _, second = listed(assemble(local_files(write(tmp_path, files)), None))
    assert first.body == second.body
    assert (first.offset, second.offset) == (0, 5)


@pytest.mark.parametrize("seed", range(8))
def test_a_change_makes_one_or_two_clusters_new(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    files = contents(400, seed)
    before = set(assemble(local_files(write(tmp_path, files)), None).sources)
    path = chance.choice(sorted(files))
    less = {name: content for name, content in files.items() if name != path}
    changes = (
        files | {path: files[path] + b"\none line more\n"},
        files | {f"{path}.new": chance.randbytes(2000)},
        less,
    )
    for change in changes:
        after = assemble(local_files(write(tmp_path, change)), None)
        new = [after.sources[name].span.size for name in after.sources.keys() - before]
        assert 1 <= len(new) <= 3
        assert sum(new) <= 2 * MAX_CLUSTER_BYTES


def test_files_that_move_to_another_folder_are_the_same_pieces(tmp_path: Path) -> None:
    files = contents(300)
    before = assemble(local_files(write(tmp_path / "a", files)), None)
    moved = {f"elsewhere/{path}": content for path, content in files.items()}
    assert assemble(local_files(write(tmp_path / "b", moved)), None).sources.keys() == (
        before.sources.keys()
    )


@given(st.lists(st.integers(1, MAX_SHARED_BYTES), max_size=200), st.randoms(use_true_random=False))
def test_no_cluster_is_too_long_and_its_end_depends_on_what_is_in_it(
    lengths: list[int], chance: random.Random
) -> None:
    total = 0
    for size in lengths:
        total += size
        assert total <= MAX_CLUSTER_BYTES
        digest = chance.randbytes(32)
        if cluster_ends(digest, size, total):
            assert total >= 64 << 10
            total = 0


class Reads:
    """Counts the small files that are opened."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.paths: list[str] = []
        real = clusters.read_small

        def counting(source: str, facts: os.stat_result) -> bytes:
            self.paths.append(source)
            return real(source, facts)

        patch.setattr(clusters, "read_small", counting)
        patch.setattr("hansard.artifacts.memo._SETTLED_NS", -(10**12))

    def since(self) -> int:
        count = len(self.paths)
        self.paths.clear()
        return count


def test_only_the_files_of_a_changed_cluster_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, memo = Reads(monkeypatch), Memo(tmp_path / "memo.db")
    files = contents(400)
    folder = tmp_path / "files"
    paths = sorted(files)

    def check(change: Mapping[str, bytes], most: int) -> None:
        write(folder, change)
        again = assemble(local_files(folder), memo)
        assert reads.since() <= most
        assert again.root == assemble(local_files(folder), None).root  # as if nothing were known
        reads.since()

    check(files, 400)
    check(files, 0)
    check(files | {paths[200]: b"changed"}, 200)
    check({path: files[path] for path in paths if path != paths[300]}, 250)
    check(files | {"99/last": b"appended"}, 250)
    check(files | {"000": b"first of all"}, 250)
    check(files | {paths[0]: bytes(MAX_SHARED_BYTES + 1)}, 250)


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"as it was")
    facts = os.lstat(path)
    path.write_bytes(b"as it is now")
    with pytest.raises(FileChanged):
        clusters.read_small(str(path), facts)


def test_what_begins_like_a_pickle_is_told_of_before_it_is_kept(tmp_path: Path) -> None:
    told: list[str] = []
    files = {"a": b"text", "b": b"\x80\x04rest", "c": b"PK\x03\x04rest", "d": b"more text"}
    assemble(
        local_files(write(tmp_path, files)), None, suspect=lambda path, source: told.append(path)
    )
    assert told == ["b", "c"]


def test_memory_that_is_damaged_is_not_believed(tmp_path: Path) -> None:
    folder = write(tmp_path / "files", contents(5))
    found = [clusters.Found(p, s, os.lstat(s)) for p, s in local_files(folder).items()]
    facts = clusters.facts_of_all(found)
    (made,) = clusters.clusters(found, {}, None)
    for memory in (b"", b"\0", b"\1\5\0\0\0", made.remembered[:-1], made.remembered + b"x"):
        known = {found[0].path: (facts, memory)}
        (again,) = clusters.clusters(found, known, None)
        assert (again.piece, again.content) == (made.piece, made.content)
    assert made.piece.kind is Kind.PIECE
