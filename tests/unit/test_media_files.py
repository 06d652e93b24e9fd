"""Items of a step: whole files, each content once, a line each; a full disk fails no step."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hansard
from hansard import media, run_log
from hansard.media import files as media_files
from tests.unit.step_items import last, listed


@pytest.fixture
def step_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "step"
    folder.mkdir()
    monkeypatch.setenv(run_log.STEP_DIR_VARIABLE, str(folder))
    return folder


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.csv"
    path.write_bytes(b"a,b\n1,2\n")
    return path


def test_a_file_is_listed_and_kept_under_its_digest(step_dir: Path, notes: Path) -> None:
    hansard.log_file(notes, step=3)
    (item,) = listed(step_dir)
    digest = hashlib.sha256(notes.read_bytes()).hexdigest()
    assert item.pop("time") > 1.7e9
    assert item == {
        "name": "notes.csv",
        "kind": "file",
        "step": 3,
        "file": f"items/{digest}.csv",
        "media": "text/csv",
        "size": 8,
        "meta": {"filename": "notes.csv"},
    }
    assert last(step_dir) == notes.read_bytes()


def test_what_is_kept_does_not_change_with_the_file(step_dir: Path, notes: Path) -> None:
    hansard.log_file(notes)
    notes.write_bytes(b"x" * 8)
    with notes.open("r+b") as file:
        file.write(b"y")
    assert last(step_dir) == b"a,b\n1,2\n"


def test_the_same_content_is_written_once(step_dir: Path, notes: Path) -> None:
    hansard.log_file(notes, "first")
    (kept,) = (step_dir / "items").iterdir()
    before = kept.stat()
    hansard.log_file(notes, "second")
    (again,) = (step_dir / "items").iterdir()
    assert (again.stat().st_ino, again.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [item["name"] for item in listed(step_dir)] == ["first", "second"]


@pytest.mark.parametrize("size", [0, 1, 3 * 1024 * 1024 + 1])
def test_files_of_every_size_are_copied_whole(step_dir: Path, tmp_path: Path, size: int) -> None:
    path = tmp_path / "data.weird-suffix!"
    path.write_bytes(os.urandom(size))
    hansard.log_file(path)
    assert last(step_dir) == path.read_bytes()
    assert listed(step_dir)[0]["file"].endswith(".bin")


def test_a_file_is_copied_where_the_system_cannot_copy(
    step_dir: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "copy_file_range")
    hansard.log_file(notes)
    assert last(step_dir) == notes.read_bytes()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system has no /proc")
def test_a_file_that_states_no_size_is_read_to_its_end(step_dir: Path) -> None:
    hansard.log_file("/proc/version")
    assert last(step_dir) == Path("/proc/version").read_bytes() != b""


def test_the_suffix_tells_the_media_type_the_same_everywhere(
    step_dir: Path, tmp_path: Path
) -> None:
    for name in ("a.parquet", "a.png", "a.csv.gz", "a.jsonl", "a", "a.pkl", "a.MD"):
        (tmp_path / name).write_bytes(b"x")
        hansard.log_file(tmp_path / name)
    assert [item["media"] for item in listed(step_dir)] == [
        "application/vnd.apache.parquet",
        "image/png",
        "application/gzip",
        "application/jsonl",
        "application/octet-stream",
        "application/octet-stream",
        "text/markdown",
    ]


def test_what_is_no_regular_file_is_refused(step_dir: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for odd in (tmp_path, tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(ValueError, match="no regular file"):
            hansard.log_file(odd, "odd")
    with pytest.raises(FileNotFoundError):
        hansard.log_file(tmp_path / "missing")
    assert list(step_dir.iterdir()) == []


@pytest.mark.parametrize("name", ["", "x" * 251, "a\nb", "\ud800"])
def test_a_bad_name_or_step_is_refused_by_every_call(
    step_dir: Path, notes: Path, name: str
) -> None:
    pixels = np.zeros((1, 1), "uint8")
    calls: list[Callable[..., None]] = [
        lambda **rest: hansard.log_file(notes, **{"name": "a", **rest}),
        lambda **rest: hansard.log_image(**{"name": "a", "image": pixels, **rest}),
        lambda **rest: hansard.log_table(**{"name": "a", "table": {"a": [1]}, **rest}),
        lambda **rest: hansard.log_histogram(**{"name": "a", "values": [1], **rest}),
        lambda **rest: hansard.log_curve(**{"name": "a", "x": [1], "y": [1], **rest}),
        lambda **rest: hansard.log_roc(**{"name": "a", "truth": [0, 1], "scores": [0, 1], **rest}),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="key"):
            call(name=name)
        with pytest.raises(ValueError, match="int64"):
            call(step=2**63)
    assert list(step_dir.iterdir()) == []


def test_too_many_items_are_refused(
    step_dir: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_files, "MAX_ITEMS", 2)
    hansard.log_file(notes)
    hansard.log_file(notes)
    with pytest.raises(ValueError, match="at most 2 logged items"):
        hansard.log_file(notes)
    monkeypatch.setattr(media, "_shelf", None)  # as another process of the step would
    with pytest.raises(ValueError, match="at most 2 logged items"):
        hansard.log_file(notes)
    assert len(listed(step_dir)) == 2


def test_too_many_bytes_are_refused_but_not_those_that_are_there(
    step_dir: Path, notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_files, "MAX_ITEMS_BYTES", 12)
    hansard.log_file(notes)
    hansard.log_file(notes)
    other = tmp_path / "other.csv"
    other.write_bytes(b"12345")
    with pytest.raises(ValueError, match="at most 12 bytes"):
        hansard.log_file(other)
    assert len(list((step_dir / "items").iterdir())) == 1


def test_an_item_that_is_too_large_leaves_nothing(
    step_dir: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_files, "MAX_ITEM_BYTES", 100)
    with pytest.raises(ValueError, match="at most 100 bytes"):
        hansard.log_table("rows", {"a": range(3)})  # smaller than its file
    notes.write_bytes(b"x" * 101)
    with pytest.raises(ValueError, match="at most 100 bytes"):
        hansard.log_file(notes)
    assert list((step_dir / "items").iterdir()) == []


def test_lines_that_others_wrote_into_the_list_do_no_harm(step_dir: Path, notes: Path) -> None:
    (step_dir / "items.jsonl").write_bytes(b'[]\n{"file": 1}\nno json\n' + b"[" * 9999 + b"\n")
    hansard.log_file(notes)
    hansard.log_file(notes)
    assert len((step_dir / "items.jsonl").read_bytes().splitlines()) == 6


def test_threads_and_forked_processes_add_to_one_list(step_dir: Path) -> None:
    def work(first: int) -> None:
        for number in range(first, first + 20):
            hansard.log_histogram(f"h{number}", [number])

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    code = (
        "import hansard, os\nchild = os.fork()\n"
        "for number in range(20): hansard.log_histogram('f', [number])\n"
        "if child: os.waitpid(child, 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert {item["name"] for item in listed(step_dir)} == {f"h{n}" for n in range(60)} | {"f"}
    assert len(listed(step_dir)) == 100
    for item in listed(step_dir):
        content = (step_dir / item["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == Path(item["file"]).stem
    assert len(list((step_dir / "items").iterdir())) == 60


def test_without_space_the_step_goes_on_and_says_what_is_lost(step_dir: Path) -> None:
    code = """
import resource, warnings, hansard
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    hansard.log_histogram("large", range(5000), bins=5000)
    for number in range(6):
        hansard.log_histogram("small", [number], bins=1)
print(*(f"{each.filename}:{each.lineno} {each.message}" for each in caught), sep="\\n")
"""
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert output[0].startswith("<string>:6 no space for the histogram `large`, it is lost")
    kept = listed(step_dir)  # every line is whole, also the last one that had space
    assert 0 < len(kept) < 6
    assert len(output) == 1 + 6 - len(kept)
    assert {item["name"] for item in kept} == {"small"}
    assert [path for path in (step_dir / "items").iterdir() if path.suffix == ".part"] == []


def test_outside_a_run_one_warning_names_the_caller_and_values_are_checked(
    monkeypatch: pytest.MonkeyPatch, notes: Path
) -> None:
    monkeypatch.delenv(run_log.STEP_DIR_VARIABLE, raising=False)
    monkeypatch.setattr(run_log, "_warned", False)
    with pytest.warns(RuntimeWarning, match="hansard run") as caught:
        hansard.log_file(notes)
    assert caught[0].filename == __file__
    hansard.log_image("a", np.zeros((2, 2), "uint8"))  # a second warning would be an error
    with pytest.raises(TypeError):
        hansard.log_image("a", 5)
    with pytest.raises(FileNotFoundError):
        hansard.log_file("missing")


def test_logging_of_charts_imports_nothing_but_the_standard_library() -> None:
    code = (
        "import sys, warnings; warnings.simplefilter('ignore'); import hansard\n"
        "hansard.log_histogram('a', [1, 2.5]); hansard.log_curve('a', [1], [2])\n"
        "hansard.log_roc('a', [0, 1], [0.5, 1]); hansard.log_confusion_matrix('a', ['a'], ['b'])\n"
        "found = ('numpy', 'torch', 'PIL', 'pyarrow', 'matplotlib', 'plotly', 'httpx')\n"
        "print([name for name in found if name in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert output.stdout.strip() == "[]"
