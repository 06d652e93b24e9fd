"""The registries through HTTP: creation, names, pages, changes, bad input."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from hansard.formats.ids import new_id
from tests.integration.conftest import Servers
from tests.integration.platform import Platform, running


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path) as platform:
        yield platform


def a_name() -> str:
    return f"name {uuid4().hex[:10]}"


def problem_of(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    return body


async def test_an_experiment_is_read_after_it_was_written(platform: Platform) -> None:
    name = a_name()
    written = await platform.http.post("/v1/experiments", json={"name": name})
    assert written.status_code == 201, written.text
    id_, position = written.json()["id"], written.json()["position"]
    read = await platform.http.get(f"/v1/experiments/{id_}", params={"min_position": position})
    assert read.json()["name"] == name
    assert read.json()["created_by"].startswith("user-")


async def test_a_repeated_creation_is_the_same_success(platform: Platform) -> None:
    body = {"id": new_id("experiment"), "name": a_name()}
    first = await platform.http.post("/v1/experiments", json=body)
    again = await platform.http.post("/v1/experiments", json=body)
    assert again.status_code == 200
    assert again.json()["position"] <= first.json()["position"]
    other = await platform.http.post("/v1/experiments", json={**body, "name": a_name()})
    assert problem_of(other, 409)["type"].endswith("id-taken")


async def test_a_name_is_unique_in_its_project_whatever_its_case(platform: Platform) -> None:
    name = a_name()
    await platform.http.post("/v1/experiments", json={"name": name})
    clash = await platform.http.post("/v1/experiments", json={"name": name.upper()})
    assert problem_of(clash, 409)["type"].endswith("name-taken")
    model = await platform.http.post("/v1/models", json={"name": name})
    assert model.status_code == 201


async def test_renaming_frees_the_old_name(platform: Platform) -> None:
    old, new = a_name(), a_name()
    id_ = (await platform.http.post("/v1/experiments", json={"name": old})).json()["id"]
    renamed = await platform.http.patch(f"/v1/experiments/{id_}", json={"name": new})
    assert renamed.status_code == 200, renamed.text
    assert (await platform.http.post("/v1/experiments", json={"name": old})).status_code == 201
    assert (await platform.http.post("/v1/experiments", json={"name": new})).status_code == 409


async def test_an_idempotency_key_makes_a_command_happen_once(platform: Platform) -> None:
    id_ = (await platform.http.post("/v1/experiments", json={"name": a_name()})).json()["id"]
    headers = {"Idempotency-Key": uuid4().hex}
    first = await platform.http.post(f"/v1/experiments/{id_}/archive", headers=headers)
    again = await platform.http.post(f"/v1/experiments/{id_}/archive", headers=headers)
    assert first.status_code == again.status_code == 200
    assert first.json()["position"] == again.json()["position"]
    other = await platform.http.post(f"/v1/experiments/{id_}/archive")
    assert problem_of(other, 409)


async def test_pages_are_full_disjoint_and_together_complete(platform: Platform) -> None:
    project = (await platform.http.post("/v1/projects", json={"name": a_name()})).json()["id"]
    created = []
    for _ in range(7):
        body = {"project": project, "name": a_name()}
        created.append((await platform.http.post("/v1/experiments", json=body)).json())
    params = {"project": project, "limit": 3, "min_position": created[-1]["position"]}
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await platform.http.get(
            "/v1/experiments", params={**params, **({"cursor": cursor} if cursor else {})}
        )
        assert page.status_code == 200, page.text
        seen += [item["id"] for item in page.json()["items"]]
        cursor = page.json()["next_cursor"]
    assert seen == [item["id"] for item in reversed(created)]


async def test_a_cursor_opens_only_the_list_it_was_made_for(platform: Platform) -> None:
    await platform.http.post("/v1/experiments", json={"name": a_name()})
    written = await platform.http.post("/v1/experiments", json={"name": a_name()})
    params = {"limit": 1, "min_position": written.json()["position"]}
    cursor = (await platform.http.get("/v1/experiments", params=params)).json()["next_cursor"]
    for changed in ({"sort": "name"}, {"name": "x"}, {"cursor": cursor[:-4] + "AAAA"}):
        response = await platform.http.get(
            "/v1/experiments", params={"limit": 1, "cursor": cursor, **changed}
        )
        assert problem_of(response, 422)["type"].endswith("invalid-cursor")


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a/b"},
        {"name": "nul\0"},
        {"name": "x" * 300},
        {"name": ""},
        {"name": " padded "},
        {"name": 7},
        {"name": "ok", "unknown": 1},
        {"name": "ok", "id": "run-1"},
        {"name": "ok", "description": "x" * 20_000},
        {},
        [],
    ],
)
async def test_bad_bodies_are_refused_in_words_and_store_nothing(
    platform: Platform, body: Any
) -> None:
    before = await platform.services.log.last()
    response = await platform.http.post("/v1/experiments", json=body)
    assert problem_of(response, 422)["detail"]
    assert await platform.services.log.last() == before


async def test_a_body_of_ten_megabytes_is_refused(platform: Platform) -> None:
    response = await platform.http.post("/v1/experiments", content=b"x" * (10 << 20))
    assert problem_of(response, 413)["type"].endswith("too-large")


async def test_without_a_valid_token_nothing_is_told(platform: Platform) -> None:
    for header in ("", "Bearer nonsense", f"Bearer {platform.token[:-1]}x", "Basic abc"):
        response = await platform.http.get("/v1/projects", headers={"Authorization": header})
        assert problem_of(response, 401)["type"].endswith("unauthenticated")


async def test_what_is_not_there_is_not_found(platform: Platform) -> None:
    for path in ("/v1/runs/run-1", f"/v1/models/{new_id('model')}", "/v1/nothing"):
        problem_of(await platform.http.get(path), 404)


async def test_filters_that_do_not_exist_are_refused(platform: Platform) -> None:
    response = await platform.http.get("/v1/runs", params={"colour": "red"})
    assert "colour" in problem_of(response, 422)["detail"]


async def test_names_and_mail_are_sealed_in_the_record(platform: Platform) -> None:
    body = {"name": "Ada Lovelace", "mail": "ada@example.org"}
    written = await platform.http.post("/v1/users", json=body)
    assert written.status_code == 201, written.text
    id_ = written.json()["id"]
    stored = await platform.services.log.read(id_)
    assert all(b"Ada" not in m.payload and b"example.org" not in m.payload for m in stored)
    params = {"min_position": written.json()["position"]}
    assert (await platform.http.get(f"/v1/users/{id_}", params=params)).json()["name"] == body[
        "name"
    ]


async def test_a_token_of_a_disabled_user_opens_nothing(platform: Platform) -> None:
    id_ = (await platform.http.post("/v1/users", json={"name": "Bob"})).json()["id"]
    token = (await platform.http.post(f"/v1/users/{id_}/tokens", json={})).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert (await platform.http.get("/v1/users/me", headers=headers)).json()["name"] == "Bob"
    assert (
        await platform.http.post("/v1/users", json={"name": "C"}, headers=headers)
    ).status_code == 403
    await platform.http.post(f"/v1/users/{id_}/disable")
    await asyncio.sleep(2.1)  # what was found is remembered for two seconds
    problem_of(await platform.http.get("/v1/users/me", headers=headers), 401)


async def test_events_are_read_in_log_order(platform: Platform) -> None:
    written = (await platform.http.post("/v1/projects", json={"name": a_name()})).json()
    events = (
        await platform.http.get("/v1/events", params={"after": written["position"] - 2})
    ).json()
    assert [e["position"] for e in events["items"][:2]] == [
        written["position"] - 1,
        written["position"],
    ]
    history = (await platform.http.get("/v1/events", params={"entity": written["id"]})).json()
    assert [e["topic"] for e in history["items"]] == ["project.created.v1"]


async def test_no_python_path_is_stored(platform: Platform) -> None:
    await platform.http.post("/v1/projects", json={"name": a_name()})
    for message in await platform.services.log.read_after(0, 1000):
        text = message.payload + repr((message.subject, message.topic)).encode()
        assert b"domain." not in text
        assert b"infra." not in text


async def test_an_entity_is_not_found_under_another_kinds_address(platform: Platform) -> None:
    id_ = (await platform.http.post("/v1/models", json={"name": a_name()})).json()["id"]
    for path in (f"/v1/executors/{id_}/archive", f"/v1/executors/{id_}/restore"):
        problem_of(await platform.http.post(path), 404)
    problem_of(await platform.http.patch(f"/v1/executors/{id_}", json={"name": a_name()}), 404)


async def test_a_repeated_registration_of_a_user_is_the_same_success(platform: Platform) -> None:
    body = {"id": new_id("user"), "name": "Grace Hopper"}
    first = await platform.http.post("/v1/users", json=body)
    again = await platform.http.post("/v1/users", json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["position"] == again.json()["position"]


async def test_an_idempotency_key_makes_a_creation_without_an_id_happen_once(
    platform: Platform,
) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    body = {"name": a_name()}
    first = await platform.http.post("/v1/experiments", json=body, headers=headers)
    again = await platform.http.post("/v1/experiments", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    other = {"Idempotency-Key": uuid4().hex}
    clash = await platform.http.post("/v1/experiments", json=body, headers=other)
    assert problem_of(clash, 409)["type"].endswith("name-taken")
