"""Aliases of versions through HTTP: moved together, looked up, refused."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hansard.formats.ids import new_id
from tests.integration.artifacts import (
    an_artifact,
    given_role,
    meant,
    nothing_stored,
    published,
    registered,
    topics_after,
)
from tests.integration.conftest import Servers
from tests.integration.governing import a_name, governed, latest
from tests.integration.people import Person, a_person, a_project, done
from tests.integration.platform import Platform

PUBLIC = {"visibility": "public"}


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


@pytest.fixture
async def bob(platform: Platform) -> Person:
    return await a_person(platform)


async def test_a_champion_and_its_challenger_swap_in_one_event(
    platform: Platform, bob: Person
) -> None:
    model = await registered(bob, "models")
    for _ in range(2):
        await published(bob, "models", model)
    path = f"/models/{model}/aliases"
    done(await bob.call("PUT", path, {"aliases": {"champion": 1, "challenger": 2}}))
    before = (await latest(platform))["min_position"]
    swapped = {"aliases": {"champion": 2, "challenger": 1}}
    done(await bob.call("PUT", path, swapped))
    assert await topics_after(platform, before) == ["abstraction.aliased.v1"]
    assert await meant(platform, bob, model, alias="champion") == [2]
    assert await meant(platform, bob, model, alias="challenger") == [1]
    assert await meant(platform, bob, model, number=1) == [1]
    assert await meant(platform, bob, model, number=2, alias="challenger") == []
    before = (await latest(platform))["min_position"]
    done(await bob.call("PUT", path, swapped))
    assert await topics_after(platform, before) == []
    done(await bob.call("PUT", path, {"aliases": {"challenger": None}}))
    assert await meant(platform, bob, model, alias="challenger") == []


async def test_aliases_that_make_no_sense_are_refused(platform: Platform, bob: Person) -> None:
    model = await registered(bob, "models", **PUBLIC)
    await published(bob, "models", model)
    path = f"/models/{model}/aliases"
    for body in (
        {},
        {"aliases": {"champion": 2}},
        {"aliases": {"champion": 0}},
        {"aliases": {"champion": True}},
        {"aliases": {"champion": 1.5}},
        {"aliases": {"latest": 1}},
        {"aliases": {"a\0": 1}},
        {"aliases": {f"a{n}": 1 for n in range(51)}},
        {"aliases": {}, "unknown": 1},
    ):
        assert await nothing_stored(platform, bob.call("PUT", path, body), 422), body
    asked = {"aliases": {"champion": 1}}
    eve = await a_person(platform)
    assert await nothing_stored(platform, eve.call("PUT", path, asked), 403) == "forbidden"
    for other in (f"/executors/{model}/aliases", f"/models/{new_id('model')}/aliases"):
        assert await nothing_stored(platform, bob.call("PUT", other, asked), 404), other
    await bob.call("PUT", f"/models/{model}/sharing", {"visibility": "private"})
    assert await nothing_stored(platform, eve.call("PUT", path, asked), 404) == "not-found"


async def test_an_alias_given_on_publication_is_a_change_of_the_model(
    platform: Platform, bob: Person
) -> None:
    project = await a_project(platform)
    eve = await a_person(platform)
    for person in (bob, eve):
        await given_role(person, project)
    body = {"name": a_name(), "project": project}
    model = done(await bob.call("POST", "/models", body))["id"]
    done(await bob.call("PUT", f"/models/{model}/sharing", {"visibility": "project"}))
    body = {"artifact": await an_artifact(eve, model)}
    path = f"/models/{model}/versions"
    request = eve.call("POST", path, {**body, "aliases": ["champion"]})
    assert await nothing_stored(platform, request, 403) == "forbidden"
    done(await eve.call("POST", path, body))


async def test_a_list_of_versions_takes_no_parameter_that_it_does_not_know(
    platform: Platform, bob: Person
) -> None:
    model = await registered(bob, "models")
    for asked in ({"name": "x"}, {"alias": "a'b"}, {"number": "x"}, {"number": 0}, {"filter": "1"}):
        answer = await bob.call("GET", f"/models/{model}/versions", params=asked)
        assert answer.status_code == 422, asked
