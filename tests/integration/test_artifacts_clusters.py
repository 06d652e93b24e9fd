"""Small files that share pieces: back as they were, and no lie about them is believed."""

import asyncio
import pickle
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from blake3 import blake3

from hansard.artifacts.cache import Cache
from hansard.artifacts.downloading import fetch_parts
from hansard.artifacts.layout import fetch_layout
from hansard.artifacts.pulling import pull
from hansard.artifacts.uploading import Upload
from hansard.formats.ids import new_id
from hansard.formats.objects import Cut, File, Kind
from tests.integration.artifacts import registered
from tests.integration.conftest import Servers
from tests.integration.people import Person, a_person, code_of, done
from tests.integration.platform import Platform, running
from tests.integration.store_box import Made, assembled, framed, keep, ref, send, served


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path / "platform") as platform:
        yield platform


@pytest.fixture
async def bob(platform: Platform) -> Person:
    return await a_person(platform)


def written(folder: Path, files: Mapping[str, bytes]) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def lines(count: int = 40) -> bytes:
    """Content that nobody else has."""
    salt = uuid4().hex
    return "".join(f"{salt},{line},{line * line}\n" for line in range(count)).encode()


def many() -> dict[str, bytes]:
    files = {f"{n % 7}/{n:03d}.csv": lines() for n in range(200)}
    return files | {"empty": b"", "large.csv": lines(9000), "most.txt": b"x" * (16 << 10)}


def files_in(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


async def test_small_files_come_back_as_they_were_cold_warm_and_in_part(
    platform: Platform, bob: Person, tmp_path: Path
) -> None:
    model = await registered(bob, "models")
    files = many()
    folder, cache = written(tmp_path / "files", files), Cache(tmp_path / "cache")
    async with served(platform) as server:
        link = server.link(bob)

        def there_and_back() -> str:
            kept = Upload(link, assembled(folder)).run(model)
            layout = fetch_layout(link, kept.id, cache)
            pull(link, kept.id, layout, cache, tmp_path / "cold").join()
            parts = layout.parts().values()
            assert all(cache.find(part, lambda _: True) for part in parts)
            damaged = cache.find(next(iter(parts)), lambda _: True)
            assert damaged is not None
            damaged.write_bytes(bytes(damaged.stat().st_size))
            pull(link, kept.id, layout, cache, tmp_path / "warm").join()
            one = replace(layout, files=tuple(f for f in layout.files if f.path == "3/003.csv"))
            pull(link, kept.id, one, Cache(tmp_path / "other"), tmp_path / "one").join()
            assert fetch_parts(link, kept.id, layout, cache).keys() == layout.parts().keys()
            return kept.id

        artifact = await asyncio.to_thread(there_and_back)
    assert files_in(tmp_path / "cold") == files_in(tmp_path / "warm") == files
    assert files_in(tmp_path / "one") == {"3/003.csv": files["3/003.csv"]}
    answer = done(await bob.call("GET", f"/artifacts/{artifact}/files"))
    digests = {item["path"]: item["digest"] for item in answer["items"]}
    assert digests["3/003.csv"] == blake3(files["3/003.csv"]).hexdigest()
    place = f"/artifacts/{artifact}/files/3/010.csv"
    for headers, expected in (
        ({}, files["3/010.csv"]),
        ({"Range": "bytes=5-9"}, files["3/010.csv"][5:10]),
        ({"Range": "bytes=-3"}, files["3/010.csv"][-3:]),
    ):
        assert (await bob.call("GET", place, headers=headers)).content == expected


async def test_one_changed_file_sends_its_cluster_and_its_leaf(
    platform: Platform, bob: Person, tmp_path: Path
) -> None:
    model = await registered(bob, "models")
    folder = written(tmp_path / "files", many())
    async with served(platform) as server:
        link = server.link(bob)

        def twice() -> tuple[int, int]:
            first = Upload(link, assembled(folder)).run(model)
            (folder / "3/003.csv").write_bytes(b"changed\n")
            second = Upload(link, assembled(folder), like=[first.id]).run(model)
            return first.sent, second.sent

        first, second = await asyncio.to_thread(twice)
    assert second < first / 3


def sharing(**contents: bytes) -> Made:
    """Files that share one piece."""
    made, at = Made(), 0
    piece = framed(Kind.PIECE, b"".join(contents.values()))
    made.frames.append(piece)
    for path, content in contents.items():
        digest = blake3(content).digest()
        made.files[path] = content
        made.records.append(File(path, len(content), Cut.SHARED, (ref(piece),), at, digest))
        at += len(content)
    return made


def two() -> Made:
    return sharing(a=lines(), b=lines())


def lying(**lie: Any) -> Made:
    made = two()
    made.records[1] = made.records[1]._replace(**lie)
    made.files["b"] = bytes(made.records[1].size)
    return made


def of_a_longer_piece() -> Made:
    made = two()
    (piece,) = made.records[1].body
    longer = made.records[1]._replace(body=(piece._replace(size=piece.size + 9),))
    made.records[1:] = [longer]
    return made


LIES: Mapping[str, Callable[[], Made]] = {
    "digest": lambda: lying(content=bytes(32)),
    "offset": lambda: lying(offset=1),
    "beyond its piece": lambda: lying(offset=4000),
    "of nothing": lambda: lying(size=0),
    "size of the piece": of_a_longer_piece,
    "too large": lambda: sharing(a=lines(), b=b"b" * ((16 << 10) + 1)),
    "too large a piece": lambda: sharing(a=lines(), b=b"b" * 9, c=b"c" * (256 << 10)),
}


async def committed(person: Person, made: Made, **more: Any) -> Any:
    """The answer to sending and committing, whichever is refused first."""
    model = await registered(person, "models")
    root, frames = made.finished()
    upload = new_id("upload")
    sent = await send(person, upload, frames)
    if sent.status_code != 201:
        return sent
    return await keep(person, upload, root, model, **more)


@pytest.mark.parametrize("about", LIES)
async def test_lies_about_what_a_file_shares_are_refused(bob: Person, about: str) -> None:
    assert code_of(await committed(bob, LIES[about]()), 422) == "bad-object"


async def test_files_that_share_a_piece_are_kept(bob: Person) -> None:
    answer = done(await committed(bob, sharing(a=lines(), b=lines(), c=b'{"a": 1}')))
    assert answer["format"] == "mixed"
    assert done(await committed(bob, two()))["format"] == "text"


async def test_a_pickle_among_others_in_a_piece_is_refused(bob: Person) -> None:
    content = pickle.dumps(Path("x"), protocol=4)
    answer = await committed(bob, sharing(a=lines(), b=content, c=lines()))
    assert code_of(answer, 422) == "format-refused"
    assert [each["path"] for each in answer.json()["files"]] == ["b"]


async def test_a_wrong_digest_is_refused_in_quarantine_too(bob: Person) -> None:
    attributes = {"attributes": {"admin": True}}
    done(await bob.http.put(f"/v1/users/{bob.id}/attributes", json=attributes))
    answer = await committed(bob, LIES["digest"](), quarantine=True)
    assert code_of(answer, 422) == "bad-object"
