"""Uploads that are cut off, cross each other or lose their connection: nothing is lost or twice."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hansard.artifacts.cache import Cache
from hansard.artifacts.layout import fetch_layout
from hansard.artifacts.link import Link
from hansard.artifacts.pulling import pull
from hansard.artifacts.uploading import PACK_BYTES, Committed, Upload
from hansard.client_errors import Invalid, NotFound
from tests.integration.artifacts import registered
from tests.integration.conftest import Servers
from tests.integration.people import Person, a_person
from tests.integration.platform import Platform, running
from tests.integration.pushing import kept_files
from tests.integration.store_box import Served, ask, assembled, served, weights

MB = 1 << 20


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path / "platform") as platform:
        yield platform


@pytest.fixture
async def server(platform: Platform) -> AsyncIterator[Served]:
    async with served(platform, keep_alive_s=1) as found:
        yield found


@pytest.fixture
async def bob(platform: Platform) -> Person:
    return await a_person(platform)


class Enough(Exception):
    """An upload is interrupted here."""


def until(most: int) -> Callable[[int], None]:
    """Progress that ends the upload after so many bytes."""
    seen, lock = 0, threading.Lock()

    def count(bytes_: int) -> None:
        nonlocal seen
        with lock:
            seen += bytes_
            if seen >= most:
                raise Enough

    return count


async def upload(link: Link, place: Path, to: str | None, **more: Any) -> Committed:
    """Send and commit in a thread, as a client would."""
    return await asyncio.to_thread(lambda: Upload(link, assembled(place), **more).run(to))


async def pulled(link: Link, artifact: str, folder: Path) -> Path:
    """The files of an artifact, fetched without a cache that knows anything."""

    def fetch() -> Path:
        cache = Cache(folder / "cache")
        layout = fetch_layout(link, artifact, cache)
        pull(link, artifact, layout, cache, folder / "files").join()
        return folder / "files"

    return await asyncio.to_thread(fetch)


async def test_an_interrupted_upload_goes_on_where_it_was_under_another_id(
    server: Served, bob: Person, tmp_path: Path
) -> None:
    place, model = weights(tmp_path / "file", 96), await registered(bob, "models")
    link = server.link(bob)
    with pytest.raises(Enough):
        await upload(link, place, model, on_progress=until(48 * MB))
    kept = await upload(link, place, model)
    assert kept.sent <= 48 * MB + PACK_BYTES
    fetched = await pulled(link, kept.id, tmp_path / "pulled")
    assert (fetched / "file").read_bytes() == place.read_bytes()


async def test_what_one_sent_and_did_not_commit_is_missing_for_others(
    server: Served, platform: Platform, bob: Person, tmp_path: Path
) -> None:
    place = weights(tmp_path / "file", 1)
    eve = await a_person(platform)
    link = server.link(bob)
    found = assembled(place)
    with pytest.raises(Enough):
        await upload(link, place, await registered(bob, "models"), on_progress=until(1))
    names = list(found.sources)
    assert all(await ask(bob, names))
    assert not any(await ask(eve, names))


async def test_two_who_upload_the_same_new_content_at_once_both_keep_it(
    server: Served, platform: Platform, bob: Person, tmp_path: Path
) -> None:
    eve = await a_person(platform)
    place, before = weights(tmp_path / "file", 48), kept_files(platform)
    links = [server.link(bob), server.link(eve)]
    models = [await registered(person, "models") for person in (bob, eve)]
    both = await asyncio.gather(
        *(upload(link, place, model) for link, model in zip(links, models, strict=True))
    )
    assert both[0].root == both[1].root
    for n, (link, kept) in enumerate(zip(links, both, strict=True)):
        fetched = await pulled(link, kept.id, tmp_path / f"pulled{n}")
        assert (fetched / "file").read_bytes() == place.read_bytes()
    stored = sum(path.stat().st_size for path in kept_files(platform) - before)
    assert stored <= 1.5 * 48 * MB


async def test_an_idle_connection_that_the_server_closed_is_opened_again(
    server: Served, bob: Person
) -> None:
    link = server.link(bob, patience_s=5)

    def twice() -> list[Any]:
        first = link.json("GET", "/v1/models")
        connection = link._local.connection.sock
        threading.Event().wait(2.5)
        return [first, link.json("GET", "/v1/models"), connection]

    first, second, connection = await asyncio.to_thread(twice)
    assert first == second
    assert connection.fileno() == -1


async def test_a_server_that_comes_back_meanwhile_is_waited_for(
    platform: Platform, bob: Person, tmp_path: Path
) -> None:
    place, model = weights(tmp_path / "file", 32), await registered(bob, "models")
    async with served(platform) as first:
        port = int(first.url.rpartition(":")[2])
        link = Link(first.url, bob.token)
        sending = asyncio.create_task(upload(link, place, model))
        await asyncio.sleep(0.2)
    async with served(platform, port=port):
        kept = await sending
        assert kept.size == place.stat().st_size
        link.close()


async def test_a_pack_that_is_lost_is_sent_again_by_whoever_has_it(
    server: Served, platform: Platform, bob: Person, tmp_path: Path
) -> None:
    place, model = weights(tmp_path / "file", 2), await registered(bob, "models")
    link, before = server.link(bob), kept_files(platform)
    kept = await upload(link, place, model)
    lost = kept_files(platform) - before
    for pack in lost:
        pack.unlink()
    with platform.services.artifacts.pool.connection() as connection:  # as the scrub would find
        query = "UPDATE object SET damaged = true WHERE pack = ANY(%s)"
        connection.execute(query, ([pack.name for pack in lost],))
    assert await asyncio.to_thread(missing, link, kept.id)
    again = await upload(link, place, model)
    assert again.sent >= place.stat().st_size
    fetched = await pulled(link, kept.id, tmp_path / "pulled")
    assert (fetched / "file").read_bytes() == place.read_bytes()


def missing(link: Link, artifact: str) -> bool:
    """Whether the platform says that the bytes are damaged."""
    with pytest.raises(NotFound) as found:
        link.ask("GET", f"/v1/artifacts/{artifact}/layout")
    return found.value.code == "damaged"


async def test_what_is_damaged_between_question_and_commit_is_sent_again(
    server: Served, platform: Platform, bob: Person, tmp_path: Path
) -> None:
    place, model = weights(tmp_path / "file", 2), await registered(bob, "models")
    link = server.link(bob)
    found = assembled(place)
    victim = next(iter(found.sources))

    def damage(_: int) -> None:
        with platform.services.artifacts.pool.connection() as connection:
            query = "UPDATE object SET damaged = true WHERE name = %s"
            connection.execute(query, (victim,))

    sending = Upload(link, found, on_progress=once(damage))
    kept = await asyncio.to_thread(lambda: sending.run(model))
    fetched = await pulled(link, kept.id, tmp_path / "pulled")
    assert (fetched / "file").read_bytes() == place.read_bytes()


def once(act: Callable[[int], None]) -> Callable[[int], None]:
    """Act the first time only."""
    rest = [act]
    return lambda bytes_: rest.pop()(bytes_) if rest else None


async def test_a_refusal_is_told_in_words_and_not_tried_again(
    server: Served, bob: Person, tmp_path: Path
) -> None:
    place = tmp_path / "weights.safetensors"
    place.write_bytes(b"cposix\nsystem\n(S'id'\ntR." + os.urandom(3).hex().encode())
    link = server.link(bob)
    with pytest.raises(Invalid, match=r"weights\.safetensors.*pickle"):
        await upload(link, place, await registered(bob, "models"))
