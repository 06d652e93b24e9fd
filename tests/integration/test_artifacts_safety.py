"""What bytes runs may read and leave, what masks and quarantine hide, and which are refused."""

import os
import pickle
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hansard.formats.ids import new_id
from tests.integration.artifacts import registered
from tests.integration.conftest import Servers
from tests.integration.governing import a_name, a_text, governed, in_force
from tests.integration.people import Person, a_person, code_of, done
from tests.integration.platform import Platform
from tests.integration.pushing import Pushed
from tests.integration.store_box import Kept, Made, ask, every_door, keep, kept, made, send
from tests.integration.test_run_requests_http import an_attempt, ended


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("id",)


PICKLE = pickle.dumps(Evil(), 4)
OLD_PICKLE = b"cposix\nsystem\n(S'id'\ntR."


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


@pytest.fixture
async def bob(platform: Platform) -> Person:
    return await a_person(platform)


@pytest.fixture
async def eve(platform: Platform) -> Person:
    return await a_person(platform)


@pytest.fixture
async def running(platform: Platform) -> Pushed:
    found = Pushed(platform)
    await found.everything()
    return found


async def a_run(pushed: Pushed, *datasets: Kept) -> Person:
    """A run with these inputs, as a caller."""
    named = {f"data{n}": each.model for n, each in enumerate(datasets)}
    asked = done(await pushed.run(datasets=named))
    token = await an_attempt(pushed.platform, asked["id"])
    return Person(pushed.platform, asked["id"], token)


async def test_a_run_reads_its_inputs_and_nothing_else(running: Pushed, platform: Platform) -> None:
    admin = Person(platform, "", platform.token)
    given, other = [await kept(admin, path="datasets") for _ in range(2)]
    run = await a_run(running, given)
    assert await every_door(run, given.artifact, given.made) == {200, 206}
    assert await every_door(run, other.artifact, other.made) == {404}
    assert all(await ask(run, given.names))
    assert not any(await ask(run, other.names, like=other.artifact))
    answer = await keep(run, new_id("upload"), other.root, None, like=[other.artifact])
    assert code_of(answer, 409) == "objects-missing"
    await ended(platform, run.id)


async def test_a_run_leaves_bytes_and_puts_none_into_quarantine(
    running: Pushed, platform: Platform, eve: Person
) -> None:
    run = await a_run(running)
    content = made()
    root, frames = content.finished()
    upload = new_id("upload")
    done(await send(run, upload, frames))
    answer = await keep(run, upload, root, None, quarantine=True)
    assert code_of(answer, 403) == "forbidden"
    artifact = done(await keep(run, upload, root, None))["id"]
    assert await every_door(run, artifact, content) == {200, 206}
    admin = Person(platform, "", platform.token)
    assert await every_door(admin, artifact, content) == {200, 206}
    assert await every_door(eve, artifact, content) == {404}
    await ended(platform, run.id)


async def test_masked_content_is_not_given(platform: Platform, bob: Person, eve: Person) -> None:
    shared = await kept(bob)
    await shared.share(users=[eve.id])
    assert await every_door(eve, shared.artifact, shared.made) == {200, 206}
    rule = f"r.obj.owner == '{bob.id}' and r.sub.id == '{eve.id}'"
    nobody = a_text(a_name(), "r.obj.owner == 'nobody'", entity="version")
    await in_force(platform, f'{nobody}mask: [{{fields: [content], when: "not ({rule})"}}]\n')
    assert await every_door(eve, shared.artifact, shared.made) == {404}
    assert not any(await ask(eve, shared.names, like=shared.artifact))
    assert await every_door(bob, shared.artifact, shared.made) == {200, 206}


REFUSED = {
    "weights.safetensors": [PICKLE + uuid4().bytes],
    "old.safetensors": [OLD_PICKLE],
    "split.txt": [OLD_PICKLE[:1], OLD_PICKLE[1:]],
    "halves.bin": [PICKLE[:1], PICKLE[1:]],
    "text first.csv": [b"a,b\n", PICKLE],
}


@pytest.mark.parametrize("path", REFUSED)
async def test_a_pickle_is_refused_whatever_it_is_called_and_however_it_is_cut(
    platform: Platform, bob: Person, path: str
) -> None:
    model = await registered(bob, "models")
    content = Made().add("a unique one", uuid4().hex.encode()).add(path, *REFUSED[path])
    root, frames = content.finished()
    upload = new_id("upload")
    done(await send(bob, upload, frames))
    before = await platform.services.log.last()
    answer = await keep(bob, upload, root, model)
    assert code_of(answer, 422) == "format-refused"
    assert path in answer.json()["detail"]
    assert [each["path"] for each in answer.json()["files"]] == [path]
    assert await platform.services.log.last() == before


async def test_quarantine_needs_its_permission_and_hides_the_bytes(
    platform: Platform, bob: Person, eve: Person
) -> None:
    model = await registered(bob, "models", visibility="public")
    content = Made().add("model.bin", PICKLE + uuid4().bytes)
    root, frames = content.finished()
    upload = new_id("upload")
    done(await send(bob, upload, frames))
    answer = await keep(bob, upload, root, model, quarantine=True)
    assert code_of(answer, 403) == "forbidden"
    path = f"/users/{bob.id}/attributes"
    done(await bob.http.put(f"/v1{path}", json={"attributes": {"admin": True}}))
    artifact = done(await keep(bob, upload, root, model, quarantine=True))["id"]
    done(await bob.call("POST", f"/models/{model}/versions", {"artifact": artifact}))
    assert await every_door(bob, artifact, content) == {200, 206}
    done(await bob.http.put(f"/v1{path}", json={"attributes": {}}))
    assert await every_door(bob, artifact, content) == {404}
    assert await every_door(eve, artifact, content) == {404}
    assert not any(await ask(eve, [frame.name for frame in frames], like=artifact))
    again = await keep(bob, upload, root, model)
    assert code_of(again, 422) == "format-refused"


async def test_tokens_reach_no_further_than_their_scopes(platform: Platform) -> None:
    reader = await a_person(platform, scopes=["read"])
    root, frames = made().finished()
    upload = new_id("upload")
    headers = {"Authorization": f"Bearer {reader.token}"}
    path = f"/v1/uploads/{upload}/missing"
    for answer in (
        await send(reader, upload, frames),
        await reader.http.post(path, content=root, headers=headers),
        await keep(reader, upload, root, new_id("model")),
    ):
        assert code_of(answer, 403) == "scope"
