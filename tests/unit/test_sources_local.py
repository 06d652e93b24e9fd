"""Files and folders of this machine as a data source, fetching, and references to them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from hansard.sources import (
    Entry,
    SourceChanged,
    SourceError,
    SourceMissing,
    SourceUnavailable,
    check_reference,
    fetch,
    open_source,
    reference,
)
from hansard.sources.fetching import MAX_ATTEMPTS
from hansard.sources.local import LocalSource

FILES = {"a.txt": b"first", "b/c.bin": bytes(3_000_000), "b/d.txt": b"", "z.txt": b"last"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_a_folder_lists_its_files_in_order_with_sizes(folder: Path) -> None:
    entries = list(open_source(str(folder)).list())
    assert [(entry.path, entry.size) for entry in entries] == [
        (name, len(FILES[name])) for name in sorted(FILES)
    ]


def test_a_file_address_reads_one_file(folder: Path) -> None:
    source = open_source((folder / "a.txt").as_uri())
    assert [entry.path for entry in source.list()] == ["a.txt"]
    assert b"".join(source.open("a.txt")) == b"first"
    assert b"".join(source.open("a.txt", 1, 3)) == b"irs"


def test_what_was_fetched_is_equal_and_digested(folder: Path, tmp_path: Path) -> None:
    counts: list[int] = []
    entries = fetch(open_source(str(folder)), tmp_path / "copy", counts.append)
    for entry in entries:
        assert (tmp_path / "copy" / entry.path).read_bytes() == FILES[entry.path]
        assert entry.digest == blake3(FILES[entry.path]).hexdigest()
    assert sum(counts) == sum(map(len, FILES.values()))


def test_a_fetch_into_a_folder_that_is_not_empty_is_refused(folder: Path) -> None:
    with pytest.raises(FileExistsError):
        fetch(open_source(str(folder)), folder)
    assert (folder / "a.txt").read_bytes() == b"first"


@pytest.mark.parametrize("place", ["link", "b/link"])
def test_links_are_refused(folder: Path, place: str) -> None:
    (folder / place).symlink_to("/etc/hostname")
    with pytest.raises(SourceError, match="is a link"):
        open_source(str(folder)).list()


def test_a_link_as_the_address_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(SourceError, match="is a link"):
        open_source(str(tmp_path / "link"))


def test_a_folder_that_becomes_a_link_after_listing_is_not_followed(folder: Path) -> None:
    source = open_source(str(folder))
    source.list()
    (folder / "b").rename(folder.parent / "elsewhere")
    (folder / "b").symlink_to(folder.parent / "elsewhere")
    with pytest.raises(SourceChanged):
        list(source.open("b/c.bin"))


def test_a_special_file_is_refused(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        open_source(str(folder)).list()


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(SourceMissing):
            open_source(str(path)).list()


def test_two_names_that_some_disks_hold_as_one_are_refused(folder: Path) -> None:
    (folder / "A.txt").write_bytes(b"")
    with pytest.raises(SourceError, match="only in form"):
        open_source(str(folder)).list()


def test_a_file_that_changes_after_listing_is_noticed_though_its_time_was_set_back(
    folder: Path,
) -> None:
    source = open_source(str(folder))
    source.list()
    status = (folder / "a.txt").stat()
    (folder / "a.txt").write_bytes(b"other")
    os.utime(folder / "a.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(SourceChanged, match=r"`a\.txt`"):
        list(source.open("a.txt"))


def test_a_file_that_changes_while_it_is_read_is_noticed(folder: Path, tmp_path: Path) -> None:
    source = open_source(str(folder))
    pieces = iter(source.open("b/c.bin"))
    next(pieces)
    with (folder / "b/c.bin").open("ab") as file:
        file.write(b"more")
    with pytest.raises(SourceChanged):
        list(pieces)


def test_a_failed_fetch_leaves_the_folder_empty(folder: Path, tmp_path: Path) -> None:
    class Changing(LocalSource):
        def list(self) -> Iterator[Entry]:
            found = super().list()
            (folder / "z.txt").write_bytes(b"longer than before")
            return found

    with pytest.raises(SourceChanged):
        fetch(Changing(folder), tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []


def test_a_cut_copy_goes_on_where_it_was_and_gives_up_at_some_time(
    folder: Path, tmp_path: Path
) -> None:
    starts: list[int] = []

    class Cut(LocalSource):
        cuts = 2

        def open(self, path: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
            pieces = super().open(path, start, length)
            if path != "b/c.bin":
                yield from pieces
                return
            starts.append(start)
            yield next(pieces)
            if len(starts) <= self.cuts:
                raise SourceUnavailable("cut")
            yield from pieces

    fetch(Cut(folder), tmp_path / "copy")
    assert starts == [0, 2**20, 2**21]
    assert (tmp_path / "copy/b/c.bin").read_bytes() == FILES["b/c.bin"]


def test_a_source_that_never_answers_is_given_up(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hansard.sources.fetching._LONGEST_PAUSE_S", 0.0)
    asked: list[str] = []

    class Silent(LocalSource):
        def open(self, path: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
            asked.append(path)
            raise SourceUnavailable("no answer")

    with pytest.raises(SourceUnavailable):
        fetch(Silent(folder / "a.txt"), tmp_path / "copy")
    assert len(asked) == MAX_ATTEMPTS


def test_a_fingerprint_is_of_content_and_not_of_times(folder: Path) -> None:
    before = open_source(str(folder)).fingerprint()
    os.utime(folder / "a.txt", (0, 0))
    assert open_source(str(folder)).fingerprint() == before
    assert before["reproducible"] is False
    assert before["entries"][0]["fingerprint"] == f"blake3:{blake3(b'first').hexdigest()}"


def test_a_reference_says_that_it_keeps_no_bytes_and_what_moved(folder: Path) -> None:
    document = reference(open_source(str(folder)))
    assert document["mode"] == "reference"
    assert "cannot be reproduced" in document["note"]
    check_reference(document, open_source(str(folder)))
    (folder / "a.txt").write_bytes(b"First")
    (folder / "z.txt").rename(folder / "y.txt")
    with pytest.raises(SourceChanged, match=r"changed: `a\.txt`; gone: `z\.txt`; new: `y\.txt`"):
        check_reference(document, open_source(str(folder)))


def test_a_document_that_is_no_reference_is_refused(folder: Path) -> None:
    with pytest.raises(SourceError, match="no reference"):
        check_reference({"mode": "copy"}, open_source(str(folder)))
