"""Files of an artifact as browsers and other tools read them: whole, in ranges, slowly, damaged."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from hansard.formats.ids import new_id
from tests.integration.artifacts import registered
from tests.integration.conftest import Servers
from tests.integration.people import Person, a_person, code_of, done
from tests.integration.platform import Platform, running
from tests.integration.pushing import kept_files
from tests.integration.store_box import Made, ask, keep, send


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path) as platform:
        yield platform


@pytest.fixture
async def bob(platform: Platform) -> Person:
    return await a_person(platform)


def text(lines: int = 20) -> bytes:
    return "".join(f"{n},{uuid4().hex}\n" for n in range(lines)).encode()


RANGES = {
    "bytes=0-0": (206, 0, 1),
    "bytes=0-": (206, 0, None),
    "bytes=5-9": (206, 5, 10),
    "bytes=-7": (206, -7, None),
    "bytes=900-1700": (206, 900, 1701),
    "bytes=-999999": (206, 0, None),
    "bytes=100-999999999999": (206, 100, None),
    "items=0-1": (200, 0, None),
    "bytes=0-1,4-5": (200, 0, None),
    "bytes=-": (200, 0, None),
    "bytes=" + "9" * 5000 + "-": (200, 0, None),
}
BEYOND = ["bytes=999999-", "bytes=5-2", "bytes=-0"]


async def test_ranges_of_a_file_are_its_bytes(bob: Person) -> None:
    pieces = [text(), text(), text(), text(), text(3)]
    made = Made().add("d/a.csv", *pieces, tree=True).add("empty.txt")
    root, frames = made.finished()
    upload, model = new_id("upload"), await registered(bob, "models")
    done(await send(bob, upload, frames))
    path = f"/artifacts/{done(await keep(bob, upload, root, model))['id']}/files"
    whole = b"".join(pieces)
    for asked, (status, start, end) in RANGES.items():
        answer = await bob.call("GET", f"{path}/d/a.csv", headers={"Range": asked})
        assert (answer.status_code, answer.content) == (status, whole[start:end]), asked
        if status == 206:
            first = start % len(whole)
            last = first + len(answer.content) - 1
            assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"
        assert answer.headers["Content-Length"] == str(len(answer.content))
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for asked in BEYOND:
        answer = await bob.call("GET", f"{path}/d/a.csv", headers={"Range": asked})
        assert code_of(answer, 416) == "range"
    assert (await bob.call("GET", f"{path}/empty.txt")).content == b""
    assert code_of(await bob.call("GET", f"{path}/none"), 404) == "not-found"
    listed = done(await bob.call("GET", path))["items"]
    assert [(item["path"], item["size"]) for item in listed] == [
        ("d/a.csv", len(whole)),
        ("empty.txt", 0),
    ]


async def test_slow_readers_do_not_keep_others_from_the_store(
    platform: Platform, bob: Person
) -> None:
    """More of them than there are connections to the index."""
    made = Made().add("a.csv", text(), text())
    root, frames = made.finished()
    upload, model = new_id("upload"), await registered(bob, "models")
    done(await send(bob, upload, frames))
    done(await keep(bob, upload, root, model))
    store = platform.services.artifacts
    slow = [store.pieces(made.records[0], 0, 10) for _ in range(12)]
    begun = [await asyncio.to_thread(next, reader) for reader in slow]
    assert begun == [made.files["a.csv"][:10]] * 12
    assert await ask(bob, [root]) == [True]


async def test_what_the_store_has_lost_is_said_to_be_damaged(
    platform: Platform, bob: Person
) -> None:
    made = Made().add("a.csv", text(4000))
    root, frames = made.finished()
    upload, model = new_id("upload"), await registered(bob, "models")
    before = kept_files(platform)
    done(await send(bob, upload, frames))
    id_ = done(await keep(bob, upload, root, model))["id"]
    (pack,) = kept_files(platform) - before
    pack.unlink()
    answer = await bob.call("GET", f"/artifacts/{id_}/layout")
    assert code_of(answer, 404) == "damaged"
