"""A folder of contents when the disk fails, processes are killed and files go away."""

import errno
import os
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from infra.artifacts.local_storage import LocalStorage
from infra.artifacts.storage import StorageFailed
from infra.event_log.errors import StorageFull
from infra.file_store import open_files

CUT_OFF = """
import os, signal, sys
from pathlib import Path
from infra.artifacts.local_storage import LocalStorage

class Parts(list):
    def __iter__(self):
        yield bytes(1 << 20)
        os.kill(os.getpid(), signal.SIGKILL)

LocalStorage(Path(sys.argv[1])).put("packs/ab/1", Parts())
"""


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def fsync_that_fails(monkeypatch: pytest.MonkeyPatch, code: int, at: int) -> list[int]:
    """Let the fsync number `at`, counted from 1, fail; answers the list that counts them."""
    calls: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == at:
            raise OSError(code, os.strerror(code))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return calls


def test_a_content_deleted_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.put("packs/ab/1", [b"first", b"second"])
    pieces = storage.read_ranges("packs/ab/1", [(0, 5), (5, 6)])
    assert next(pieces) == b"first"
    storage.delete("packs/ab/1")
    assert list(pieces) == [b"second"]


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.put("packs/ab/1", [b"content"])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        storage.read("packs/ab/1")
        pieces = storage.read_ranges("packs/ab/1", [(0, 1), (1, 1)])
        next(pieces)
        pieces.close()  # type: ignore[attr-defined]
        storage.put("packs/ab/2", [b"content"])
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_writer_killed_midway_leaves_nothing_to_see_and_is_swept(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    died = subprocess.run([sys.executable, "-c", CUT_OFF, str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    [left] = files_below(tmp_path)
    assert list(storage.keys()) == []
    assert storage.sweep(60) == 0
    os.utime(left, (time.time() - 61,) * 2)
    assert storage.sweep(60) == 1
    storage.put("packs/ab/1", [b"again"])
    assert files_below(tmp_path) == [tmp_path / "packs/ab/1"]


def test_a_failed_sync_of_the_content_is_fatal_and_never_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    storage = LocalStorage(tmp_path)
    calls = fsync_that_fails(monkeypatch, errno.EIO, at=1)
    with pytest.raises(StorageFailed, match="disk failed"):
        storage.put("packs/ab/1", [b"content"])
    assert files_below(tmp_path) == []
    with pytest.raises(StorageFailed, match="lost writes"):
        storage.put("packs/ab/1", [b"content"])
    assert len(calls) == 1
    assert files_below(tmp_path) == []


def test_a_name_that_may_not_be_durable_is_never_called_stored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    storage = LocalStorage(tmp_path)
    fsync_that_fails(monkeypatch, errno.EIO, at=2)
    for _ in range(2):
        with pytest.raises(StorageFailed):
            storage.put("packs/ab/1", [b"content"])


def test_a_disk_that_is_full_at_the_sync_keeps_nothing_and_serves_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    storage = LocalStorage(tmp_path)
    fsync_that_fails(monkeypatch, errno.ENOSPC, at=1)
    with pytest.raises(StorageFull, match="nothing was stored"):
        storage.put("packs/ab/1", [b"content"])
    assert files_below(tmp_path) == []
    storage.put("packs/ab/1", [b"content"])
    assert storage.read("packs/ab/1") == b"content"


def test_the_content_is_synced_before_its_name_and_every_new_folder_after(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    storage = LocalStorage(tmp_path)
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        named = os.readlink(f"/proc/self/fd/{descriptor}")
        synced.append("content" if "/incoming/" in named else named)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    storage.put("packs/ab/1", [b"x"])
    folders = [str(tmp_path / "packs/ab"), str(tmp_path / "packs"), str(tmp_path)]
    assert synced == ["content", *folders]
    synced.clear()
    storage.put("packs/ab/2", [b"x"])
    assert synced == ["content", folders[0]]
    synced.clear()
    LocalStorage(tmp_path).put("packs/ab/2", [b"x"])  # whoever wrote it may not have come so far
    assert synced == folders


def test_foreign_files_and_links_in_the_folder_are_not_listed(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.put("packs/ab/1", [b"x"])
    (tmp_path / "note").write_text("")
    (tmp_path / "packs" / ".hidden").write_text("")
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "lost+found" / "x").write_text("")
    (tmp_path / "packs" / "link").symlink_to("/etc")
    assert [key for key, _, _ in list(storage.keys())] == ["packs/ab/1"]


def test_files_of_a_folder_written_by_an_earlier_release_are_found(tmp_path: Path) -> None:
    digest = sha256(b"old").hexdigest()
    (tmp_path / digest[:2]).mkdir()
    (tmp_path / digest[:2] / digest).write_bytes(b"old")
    files = open_files("", tmp_path)
    with files.open(digest) as file:
        assert file.read() == b"old"
    new, _ = files.put([b"new"])
    assert (tmp_path / new[:2] / new).read_bytes() == b"new"


def test_an_upload_that_is_left_is_gone_and_old_remains_are_swept(tmp_path: Path) -> None:
    with open_files("", tmp_path).upload() as upload:
        upload.write(b"half")
    assert files_below(tmp_path) == []
    (left := tmp_path / "incoming" / "left").write_bytes(b"half")
    open_files("", tmp_path)
    assert left.exists()
    os.utime(left, (time.time() - 25 * 3600,) * 2)
    open_files("", tmp_path)
    assert not left.exists()


def test_only_the_owner_may_read_what_is_stored(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "new")
    storage.put("packs/ab/1", [b"x"])
    modes = [path.stat().st_mode & 0o077 for path in (tmp_path / "new").rglob("*")]
    assert not any(modes)
