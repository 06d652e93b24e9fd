"""What every storage promises, checked on a folder and on a server that speaks S3."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from domain.errors import Invalid, NotFound
from infra.artifacts.storage import Missing, Storage, open_storage
from infra.file_store import FileStore, open_files
from tests.contract.s3_server import a_place, s3_server

CONTENT = os.urandom(300_000)


@pytest.fixture(scope="module")
def s3_variables() -> Iterator[dict[str, str]]:
    with s3_server() as variables:
        yield variables


@pytest.fixture
def s3_url(s3_variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    return a_place(s3_variables, monkeypatch)


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return f"file://{tmp_path}/kept"
    found: str = request.getfixturevalue("s3_url")
    return found


@pytest.fixture
def storage(url: str, tmp_path: Path) -> Storage:
    return open_storage(url, tmp_path / "spool")


@pytest.fixture
def files(url: str, tmp_path: Path) -> FileStore:
    return open_files(url, tmp_path / ("kept" if url.startswith("file") else "spool"))


def test_the_parts_that_were_put_are_read_as_one_content(storage: Storage) -> None:
    storage.put("packs/ab/1", [b"one", bytearray(b"two"), memoryview(b"three"), b""])
    assert storage.read("packs/ab/1") == b"onetwothree"
    assert storage.size("packs/ab/1") == 11


@pytest.mark.parametrize("parts", [[], [b""]])
def test_an_empty_content_is_a_content(storage: Storage, parts: list[bytes]) -> None:
    storage.put("packs/ab/empty", parts)
    assert storage.size("packs/ab/empty") == 0
    assert storage.read("packs/ab/empty") == b""
    assert list(storage.read_ranges("packs/ab/empty", [(0, 0), (0, 5)])) == [b"", b""]
    with storage.open("packs/ab/empty") as file:
        assert file.read() == b""


def test_a_key_that_is_there_stays_as_it_is(storage: Storage, tmp_path: Path) -> None:
    storage.put("packs/ab/1", [b"first"])
    storage.put("packs/ab/1", [b"second"])
    (file := tmp_path / "file").write_bytes(b"third")
    storage.put_file("packs/ab/1", file)
    assert storage.read("packs/ab/1") == b"first"


def test_writers_of_one_key_at_the_same_moment_all_succeed(storage: Storage) -> None:
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(storage.put, "packs/ab/1", [CONTENT]) for _ in range(8)]:
            done.result()
    assert storage.read("packs/ab/1") == CONTENT
    assert [key for key, _, _ in list(storage.keys())] == ["packs/ab/1"]


@pytest.mark.parametrize("size", [0, 1000, 40 << 20])
def test_a_file_is_taken_in_whole(storage: Storage, tmp_path: Path, size: int) -> None:
    folder = tmp_path / "kept" / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    content = os.urandom(size)
    (file := folder / "file").write_bytes(content)
    storage.put_file("files/ab/1", file)
    assert storage.read("files/ab/1") == content


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 10), (299_990, 10), (299_990, 50), (300_000, 1), (900_000, 7), (5, 0), (7, None)],
)
def test_a_part_is_read_and_what_lies_beyond_the_end_is_left_out(
    storage: Storage, offset: int, length: int | None
) -> None:
    storage.put("packs/ab/1", [CONTENT])
    end = None if length is None else offset + length
    assert storage.read("packs/ab/1", offset, length) == CONTENT[offset:end]


def test_an_absurd_length_costs_no_memory(storage: Storage) -> None:
    storage.put("packs/ab/1", [b"short"])
    assert storage.read("packs/ab/1", 1, 1 << 62) == b"hort"
    assert list(storage.read_ranges("packs/ab/1", [(1 << 62, 1 << 62)])) == [b""]


def test_ranges_are_answered_one_by_one_in_their_order(storage: Storage) -> None:
    storage.put("packs/ab/1", [CONTENT])
    ranges = [(0, 10), (10, 0), (12, 5), (90_000, 100_000), (290_000, 90_000), (400_000, 3)]
    expected = [CONTENT[offset : offset + length] for offset, length in ranges]
    assert list(storage.read_ranges("packs/ab/1", ranges)) == expected
    assert list(storage.read_ranges("packs/ab/1", [])) == []


def test_more_ranges_than_fit_in_memory_at_once_are_answered(storage: Storage) -> None:
    content = os.urandom(1 << 20) * 40
    storage.put("packs/ab/1", [content])
    ranges = [(i * (1 << 20), (1 << 20) - 1) for i in range(40)]
    found = list(storage.read_ranges("packs/ab/1", ranges))
    assert found == [content[: (1 << 20) - 1]] * 40


@pytest.mark.parametrize("range_", [(-1, 3), (0, -3)])
def test_a_negative_range_is_refused(storage: Storage, range_: tuple[int, int]) -> None:
    storage.put("packs/ab/1", [CONTENT])
    with pytest.raises(ValueError, match="not negative"):
        storage.read("packs/ab/1", *range_)
    with pytest.raises(ValueError, match="not negative"):
        list(storage.read_ranges("packs/ab/1", [range_]))


def test_an_opened_content_is_read_and_sought_in(storage: Storage) -> None:
    storage.put("packs/ab/1", [CONTENT])
    with storage.open("packs/ab/1") as file:
        assert file.read(10) == CONTENT[:10]
        assert file.seek(-5, os.SEEK_END) == len(CONTENT) - 5
        assert file.read() == CONTENT[-5:]
        file.seek(1000)
        assert b"".join(iter(lambda: file.read(7000), b"")) == CONTENT[1000:]


@pytest.mark.parametrize(
    "reading",
    [
        lambda storage, key: storage.read(key),
        lambda storage, key: storage.read(key, 5, 5),
        lambda storage, key: storage.size(key),
        lambda storage, key: storage.open(key),
        lambda storage, key: list(storage.read_ranges(key, [(0, 1)])),
    ],
)
def test_what_is_not_there_or_deleted_is_missing(
    storage: Storage, reading: Callable[[Storage, str], object]
) -> None:
    storage.put("packs/ab/1", [CONTENT])
    storage.read("packs/ab/1")
    storage.delete("packs/ab/1")
    for key in ("packs/ab/1", "packs/cd/2", "packs/ab"):
        with pytest.raises(Missing, match=key):
            reading(storage, key)


def test_deleting_twice_is_no_error_and_the_content_may_come_back(storage: Storage) -> None:
    storage.put("packs/ab/1", [b"x"])
    storage.delete("packs/ab/1")
    storage.delete("packs/ab/1")
    storage.delete("packs/zz/never")
    storage.put("packs/ab/1", [b"x"])
    assert storage.read("packs/ab/1") == b"x"


def test_keys_are_listed_by_prefix_with_size_and_time(storage: Storage) -> None:
    kept = {f"packs/{folder}/{name}" for folder in ("ab", "ac") for name in ("1", "12", "2")}
    for key in (*kept, "files/ab/1"):
        storage.put(key, [key.encode()])
    found = {key: (size, when) for key, size, when in list(storage.keys())}
    assert set(found) == kept | {"files/ab/1"}
    assert all(size == len(key) for key, (size, _) in found.items())
    assert all(abs(time.time() - when) < 60 for _, when in found.values())
    for prefix in (
        "packs/",
        "packs",
        "pa",
        "packs/a",
        "packs/ab",
        "packs/ab/1",
        "packs/ab/1/",
        "x",
    ):
        listed = {key for key, _, _ in storage.keys(prefix)}
        assert listed == {key for key in found if key.startswith(prefix)}, prefix


@pytest.mark.parametrize(
    "key",
    [
        "",
        "one",
        "/etc/passwd",
        "packs/../../x",
        "packs/..",
        "packs/a..b",
        "packs//x",
        "packs/",
        "packs/.hidden",
        "Packs/ab/1",
        "packs/a b",
        "packs/a\n",
        "packs/a\0",
        "packs/ä",
        "packs/" + "a" * 200,
        "incoming/x",
    ],
)
def test_what_is_no_key_is_refused_by_every_verb(
    storage: Storage, tmp_path: Path, key: str
) -> None:
    (file := tmp_path / "file").write_bytes(b"x")
    verbs: list[Callable[[], object]] = [
        lambda: storage.put(key, [b"x"]),
        lambda: storage.put_file(key, file),
        lambda: storage.read(key),
        lambda: list(storage.read_ranges(key, [(0, 1)])),
        lambda: storage.open(key),
        lambda: storage.size(key),
        lambda: storage.delete(key),
    ]
    for verb in verbs:
        with pytest.raises(ValueError, match="storage key"):
            verb()
    assert list(storage.keys()) == []


def test_a_file_is_kept_under_its_digest_and_nothing_else_is(files: FileStore) -> None:
    digest, size = files.put([CONTENT[:1000], CONTENT[1000:]])
    assert (digest, size) == (sha256(CONTENT).hexdigest(), len(CONTENT))
    assert files.put([CONTENT]) == (digest, size)
    with files.open(digest) as file:
        assert file.read() == CONTENT
    assert files.has(digest)
    assert not files.has("0" * 64)
    with pytest.raises(NotFound):
        files.open("0" * 64)
    for wrong in ("../../etc/passwd", "AB" * 32, digest[:-1]):
        with pytest.raises(Invalid):
            files.has(wrong)


def test_a_file_with_another_digest_than_expected_leaves_nothing(
    files: FileStore, storage: Storage, tmp_path: Path
) -> None:
    with pytest.raises(Invalid):
        files.put([CONTENT], expected="0" * 64)
    assert list(storage.keys()) == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
