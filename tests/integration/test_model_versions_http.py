"""Versions of models through HTTP: published by their bytes, and annotated."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from hansard.formats.ids import new_id
from tests.integration.artifacts import (
    an_artifact,
    given_role,
    nothing_stored,
    published,
    read,
    registered,
    topics_after,
)
from tests.integration.conftest import Servers
from tests.integration.governing import a_name, governed, latest
from tests.integration.people import Person, a_person, a_project, code_of, done
from tests.integration.platform import Platform
from tests.integration.pushing import NET, a_bundle, uploaded

PUBLIC = {"visibility": "public"}


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


@pytest.fixture
async def bob(platform: Platform) -> Person:
    return await a_person(platform)


async def test_a_model_is_published_by_its_bytes_in_one_step(
    platform: Platform, bob: Person
) -> None:
    model = await registered(bob, "models")
    artifact = await an_artifact(bob, model, {"weights.json": b"[1, 2]"})
    before = (await latest(platform))["min_position"]
    told = {
        "description": "first",
        "tags": {"team": "vision"},
        "card": "# Net",
        "metrics": {"accuracy": 0.5, "epochs": 3},
        "parameters": {"lr": 0.1},
        "input_schema": {"type": "object"},
        "environment": {"requirements": ["numpy==2.0"]},
    }
    asked = {"id": new_id("version"), "artifact": artifact, "aliases": ["champion"], **told}
    made = done(await bob.call("POST", f"/models/{model}/versions", asked))
    assert (made["id"], made["number"]) == (asked["id"], 1)
    assert sorted(await topics_after(platform, before)) == [
        "abstraction.aliased.v1",
        "abstraction.version_added.v1",
        "artifact.attached.v1",
        "version.published.v3",
    ]
    row = await read(platform, bob, f"/versions/{made['id']}")
    assert {name: row[name] for name in told} == told
    assert row["content"]["artifact"] == artifact
    assert (row["format"], row["size"], row["source"]) == ("json", 6, None)
    assert row["aliases"] == ["champion"]
    assert (row["hold"], row["retained_until"]) == (None, None)


async def test_a_repeated_publication_is_the_same_success(platform: Platform, bob: Person) -> None:
    model = await registered(bob, "models")
    asked = {
        "id": new_id("version"),
        "artifact": await an_artifact(bob, model),
        "metrics": {"a": 1},
    }
    path = f"/models/{model}/versions"
    first = done(await bob.call("POST", path, asked))
    again = await bob.call("POST", path, asked)
    assert again.status_code == 200
    assert again.json()["repeated"]
    assert again.json()["id"] == first["id"]
    other = await bob.call("POST", path, {**asked, "metrics": {"a": 2}})
    assert code_of(other, 409) == "id-taken"
    key = {"Idempotency-Key": uuid4().hex}
    body = {"artifact": await an_artifact(bob, model)}
    made = [await bob.call("POST", path, body, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 200]
    assert made[0].json()["id"] == made[1].json()["id"]
    assert (await read(platform, bob, f"/models/{model}"))["versions"] == 2


async def test_of_two_who_publish_the_same_bytes_one_succeeds(bob: Person) -> None:
    models = [await registered(bob, "models") for _ in range(2)]
    artifact = await an_artifact(bob, models[0])
    calls = [bob.call("POST", f"/models/{m}/versions", {"artifact": artifact}) for m in models * 3]
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert {code_of(answer, 409) for answer in refused} == {"artifact-attached"}


async def test_code_and_bytes_make_one_version(platform: Platform, bob: Person) -> None:
    model = await registered(bob, "models")
    source = NET + f"# {uuid4().hex}".encode()
    headers = {"Authorization": f"Bearer {bob.token}"}
    sent = await bob.http.post("/v1/bundles", content=a_bundle(source=source), headers=headers)
    artifact = await an_artifact(bob, model)
    asked = {**uploaded(sent), "artifact": artifact}
    made = done(await bob.call("POST", f"/models/{model}/versions", asked))
    row = await read(platform, bob, f"/versions/{made['id']}")
    assert row["source"]["bundle"] == asked["bundle"]
    assert row["artifact"] == artifact


async def test_bytes_that_are_not_the_callers_cannot_be_published(
    platform: Platform, bob: Person
) -> None:
    eve = await a_person(platform)
    own, foreign = await registered(eve, "models"), await registered(bob, "models")
    artifact = await an_artifact(bob, foreign)
    path, body = f"/models/{own}/versions", {"artifact": artifact}
    assert await nothing_stored(platform, eve.call("POST", path, body), 404) == "not-found"
    body = {"artifact": new_id("artifact")}
    assert await nothing_stored(platform, eve.call("POST", path, body), 404) == "not-found"
    mine = {"artifact": await an_artifact(eve, own)}
    path = f"/models/{foreign}/versions"
    assert await nothing_stored(platform, eve.call("POST", path, mine), 404) == "not-found"


async def test_bytes_stay_in_their_project(platform: Platform, bob: Person) -> None:
    project = await a_project(platform)
    await given_role(bob, project)
    body = {"name": a_name(), "project": project}
    there = done(await bob.call("POST", "/models", body))["id"]
    here = await registered(bob, "models")
    body = {"artifact": await an_artifact(bob, there)}
    request = bob.call("POST", f"/models/{here}/versions", body)
    assert await nothing_stored(platform, request, 422) == "invalid"


async def test_what_makes_no_sense_is_refused_and_nothing_is_stored(
    platform: Platform, bob: Person
) -> None:
    model, dataset = await registered(bob, "models"), await registered(bob, "datasets")
    artifact = await an_artifact(bob, model)
    eve = await a_person(platform)
    hidden = (await published(eve, "models", await registered(eve, "models")))["id"]
    own = (await published(bob, "models", model))["id"]
    wrong: list[tuple[dict[str, Any], int]] = [
        ({"artifact": None}, 422),
        ({"id": "version-1"}, 422),
        ({"id": new_id("run")}, 422),
        ({"unknown": 1}, 422),
        ({"metrics": {"a": "b"}}, 422),
        ({"metrics": {"a": True}}, 422),
        ({"tags": {"a b": "c"}}, 422),
        ({"card": "x" * 70_000}, 422),
        ({"parameters": {"a": "\0"}}, 422),
        ({"parameters": {"a": 2**70}}, 422),
        ({"mode": "moved"}, 422),
        ({"form": "heap"}, 422),
        ({"aliases": ["latest"]}, 422),
        ({"aliases": ["7"]}, 422),
        ({"aliases": ["a"] * 51}, 422),
        ({"parents": ["x"]}, 422),
        ({"parents": [new_id("version")]}, 404),
        ({"parents": [hidden]}, 404),
        ({"data": [own]}, 422),
        ({"data": [hidden]}, 404),
        ({"artifact": "x"}, 404),
        ({"artifact": model}, 404),
        ({"bundle": "0" * 64}, 404),
    ]
    for changed, status in wrong:
        body = {"artifact": artifact, **changed}
        request = bob.call("POST", f"/models/{model}/versions", body)
        assert await nothing_stored(platform, request, status), changed
    for path in (f"/models/{dataset}", f"/models/{new_id('model')}", f"/executors/{model}"):
        body = {"bundle": "0" * 64} if "executors" in path else {"artifact": artifact}
        request = bob.call("POST", f"{path}/versions", body)
        assert await nothing_stored(platform, request, 404), path
    body = {"artifact": artifact}
    request = bob.call("POST", f"/executors/{new_id('executor')}/versions", body)
    assert await nothing_stored(platform, request, 422)


async def test_what_is_said_of_a_version_can_change(platform: Platform, bob: Person) -> None:
    model = await registered(bob, "models", **PUBLIC)
    version = (await published(bob, "models", model, metrics={"a": 1}, card="old"))["id"]
    path = f"/versions/{version}"
    changes = {"description": "new", "tags": {"stage": "x"}, "metrics": {"b": 2}}
    done(await bob.call("PATCH", path, changes))
    row = await read(platform, bob, path)
    assert {name: row[name] for name in changes} == changes
    assert row["card"] == "old"
    before = (await latest(platform))["min_position"]
    done(await bob.call("PATCH", path, changes))
    done(await bob.call("PATCH", path, {}))
    assert await topics_after(platform, before) == []
    for body in (
        {"card": None},
        {"mode": "copy"},
        {"metrics": {"a": "b"}},
        {"parameters": {"a": "\0"}},
        {"tags": {"a b": "c"}},
    ):
        assert await nothing_stored(platform, bob.call("PATCH", path, body), 422), body
    eve = await a_person(platform)
    assert await nothing_stored(platform, eve.call("PATCH", path, changes), 403) == "forbidden"
    request = bob.call("PATCH", f"/versions/{model}", changes)
    assert await nothing_stored(platform, request, 404) == "not-found"
