"""Bad input through HTTP that a table, a log or a parser would choke on: 4xx, never our fault."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hansard.formats.ids import new_id
from tests.integration.conftest import Servers
from tests.integration.platform import Platform, running
from tests.integration.pushing import a_name, problem_of


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path) as platform:
        yield platform


ADDRESSES = [
    "/v1/runs/a%00b",
    "/v1/users/%00",
    "/v1/experiments?name=%00",
    "/v1/models?cursor=%00",
    "/v1/runs?sort=%00",
    f"/v1/runs/run-{'x' * 20_000}",
    "/v1/runs/run-%2A",
    "/v1/runs/run.%3E",
    f"/v1/events?after={10**30}",
    "/v1/events?entity=%00",
    "/v1/events?entity=",
    f"/v1/events?limit={10**30}",
    f"/v1/projects?limit={10**30}",
    "/v1/live?topics=%00",
    f"/v1/runs/{new_id('run')}/series?keys=%00",
    f"/v1/runs/{new_id('run')}/logs?stream=%00&after={10**30}",
    f"/v1/runs/{new_id('run')}/series?attempt={10**30}",
    "/v1/files/%00",
    "/v1/%ff",
]


async def test_no_address_is_our_fault(platform: Platform) -> None:
    for path in ADDRESSES:
        response = await platform.http.get(path)
        found = response.status_code
        assert 400 <= found < 500 or (found == 200 and response.json()["items"] == []), path


BODIES = [
    b'{"name": "x", "description": "\\ud800"}',
    b'{"name": "x", "description": "\\u0000"}',
    b'{"name": "\\ud800"}',
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"name": NaN}',
    b'{"name": 1e999}',
]


async def test_no_body_is_our_fault(platform: Platform) -> None:
    before = await platform.services.log.last()
    headers = {"Content-Type": "application/json"}
    for body in BODIES:
        response = await platform.http.post("/v1/experiments", content=body, headers=headers)
        assert 400 <= response.status_code < 500, body[:50]
        assert response.headers["content-type"] == "application/problem+json"
    assert await platform.services.log.last() == before


@pytest.mark.parametrize("value", ['"\\u0000"', "1e999", str(2**70)])
async def test_attributes_that_cannot_be_stored_are_refused(platform: Platform, value: str) -> None:
    body = '{"name": "x", "attributes": {"a": ' + value + "}}"
    headers = {"Content-Type": "application/json"}
    response = await platform.http.post("/v1/users", content=body, headers=headers)
    assert "attributes" in problem_of(response, 422, "invalid")["detail"]


async def test_a_body_without_a_length_is_cut_off_at_the_bound(platform: Platform) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 100_000

    response = await platform.http.post("/v1/experiments", content=endless())
    problem_of(response, 413, "too-large")


async def test_an_entity_needs_a_project_that_is_there_and_open(platform: Platform) -> None:
    async def create(path: str, project: str) -> Any:
        return await platform.http.post(f"/v1/{path}", json={"name": a_name(), "project": project})

    for path in ("experiments", "models", "executors", "dataset-loaders"):
        problem_of(await create(path, new_id("project")), 404, "not-found")
    made = (await platform.http.post("/v1/projects", json={"name": a_name()})).json()["id"]
    assert (await create("models", made)).status_code == 201
    await platform.http.post(f"/v1/projects/{made}/archive")
    problem_of(await create("models", made), 409, "conflict")


async def test_a_user_is_shown_without_the_sealed_text(platform: Platform) -> None:
    written = (await platform.http.post("/v1/users", json={"name": "Ada"})).json()
    params = {"min_position": written["position"]}
    shown = (await platform.http.get(f"/v1/users/{written['id']}", params=params)).json()
    assert shown["name"] == "Ada"
    assert "profile" not in shown


async def test_while_space_is_short_writes_are_refused_and_reads_go_on(platform: Platform) -> None:
    made = (await platform.http.post("/v1/experiments", json={"name": a_name()})).json()
    space = platform.services.check_space
    enough = space._min_free_bytes
    space._min_free_bytes = 1 << 60
    digest = "0" * 64
    for request in (
        platform.http.post("/v1/experiments", json={"name": a_name()}),
        platform.http.post("/v1/bundles", content=b"x"),
        platform.http.put(f"/v1/files/{digest}", content=b"x"),
        platform.http.post(f"/v1/experiments/{made['id']}/archive"),
    ):
        problem_of(await request, 507, "storage-full")
    params = {"min_position": made["position"]}
    read = await platform.http.get(f"/v1/experiments/{made['id']}", params=params)
    assert read.json()["archived"] is False
    space._min_free_bytes = enough
    archived = await platform.http.post(f"/v1/experiments/{made['id']}/archive")
    assert archived.status_code == 200
