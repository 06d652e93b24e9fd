"""People through HTTP: what is told of them, roles, groups, administrators, tokens."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.bootstrap import FIRST_USER
from domain.administrators import ADMINISTRATORS, Administrators
from domain.aggregate import Context
from hansard.formats.ids import new_id
from tests.integration.conftest import Servers
from tests.integration.people import Person, a_group, a_person, a_project, code_of, done
from tests.integration.platform import Platform, running


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path) as platform:
        yield platform


async def test_mail_attributes_and_roles_are_masked_for_others(platform: Platform) -> None:
    ada, eve = await a_person(platform, attributes={"team": "vision"}), await a_person(platform)
    project = await a_project(platform)
    given = await platform.http.put(
        f"/v1/users/{ada.id}/roles/{project}", json={"role": "contributor"}
    )
    params = {"min_position": (done(given))["position"]}
    seen = done(await eve.call("GET", f"/users/{ada.id}", params=params))
    assert seen["name"] == "Ada Lovelace"
    assert {"mail", "attributes", "roles"} <= set(seen["masked"])
    hidden = ("mail", "attributes", "roles", "viewer_of", "contributor_of", "manager_of")
    assert [seen[name] for name in hidden] == [None] * len(hidden)
    own = done(await ada.call("GET", f"/users/{ada.id}", params=params))
    assert own["mail"] == "ada@example.org"
    assert own["attributes"] == {"team": "vision"}
    assert own["roles"] == {project: "contributor"}
    me = done(await ada.call("GET", "/users/me"))
    assert (me["mail"], me["roles"]) == (own["mail"], own["roles"])
    listed = done(await eve.call("GET", "/users", params={**params, "limit": 500}))
    row = next(row for row in listed["items"] if row["id"] == ada.id)
    assert row["attributes"] is None
    assert (row["name"], row.get("mail")) == (own["name"], None)
    assert "profile" not in row


async def test_only_administrators_register_change_and_shut_out(platform: Platform) -> None:
    ada, eve = await a_person(platform), await a_person(platform)
    for verb, path, body in (
        ("POST", "/users", {"name": "Bob"}),
        ("PUT", f"/users/{eve.id}/attributes", {"attributes": {"admin": True}}),
        ("PUT", f"/users/{ada.id}/attributes", {"attributes": {}}),
        ("POST", f"/users/{ada.id}/disable", None),
        ("POST", f"/users/{ada.id}/tokens", {}),
        ("PUT", f"/users/{ada.id}/password", {"password": "x" * 12}),
        ("PUT", f"/users/{eve.id}/login", {"login": "root"}),
    ):
        assert code_of(await eve.call(verb, path, body), 403) == "forbidden", path


async def test_a_person_who_was_shut_out_comes_back(platform: Platform) -> None:
    ada = await a_person(platform)
    done(await platform.http.post(f"/v1/users/{ada.id}/disable"))
    assert code_of(await ada.call("GET", "/users/me"), 401) == "unauthenticated"
    again = await platform.http.post(f"/v1/users/{ada.id}/disable")
    assert code_of(again, 409) == "conflict"
    done(await platform.http.post(f"/v1/users/{ada.id}/enable"))
    assert (done(await ada.call("GET", "/users/me")))["enabled"] is True


async def administrators(platform: Platform) -> list[str]:
    context = Context("test", datetime.now(UTC), "test")
    found = await platform.services.store.run(
        context, lambda session: session.load(Administrators, ADMINISTRATORS)
    )
    return found.users


async def test_administrators_follow_attributes_and_the_state_of_the_account(
    platform: Platform,
) -> None:
    ada = await a_person(platform, attributes={"admin": True})
    path = f"/v1/users/{ada.id}"
    assert ada.id in await administrators(platform)
    done(await platform.http.post(f"{path}/disable"))
    assert ada.id not in await administrators(platform)
    done(await platform.http.post(f"{path}/enable"))
    assert ada.id in await administrators(platform)
    done(await platform.http.put(f"{path}/attributes", json={"attributes": {}}))
    assert ada.id not in await administrators(platform)


async def test_of_two_administrators_who_demote_each_other_exactly_one_succeeds(
    platform: Platform,
) -> None:
    first = Person(platform, FIRST_USER, platform.token)
    ada = await a_person(platform, attributes={"admin": True})
    for other in set(await administrators(platform)) - {first.id, ada.id}:
        done(await first.call("PUT", f"/users/{other}/attributes", {"attributes": {}}))
    nothing: dict[str, Any] = {"attributes": {}}
    answers = await asyncio.gather(
        first.call("PUT", f"/users/{ada.id}/attributes", nothing),
        ada.call("PUT", f"/users/{first.id}/attributes", nothing),
    )
    won, lost = (first, ada) if answers[0].status_code == 200 else (ada, first)
    (refused,) = [answer for answer in answers if answer.status_code != 200]
    # Who asks after the other has been answered is no administrator any more.
    assert refused.json()["type"].rpartition(":")[2] in ("last-administrator", "forbidden")
    assert await administrators(platform) == [won.id]
    for path, body in (("attributes", nothing), ("disable", None)):
        verb = "PUT" if body else "POST"
        alone = await won.call(verb, f"/users/{won.id}/{path}", body)
        assert code_of(alone, 409) == "last-administrator"
    admin = {"attributes": {"admin": True}}
    done(await won.call("PUT", f"/users/{lost.id}/attributes", admin))


async def test_a_repeated_registration_with_a_login_is_the_same_success(
    platform: Platform,
) -> None:
    body = {"id": new_id("user"), "name": "Grace", "login": uuid4().hex}
    first = await platform.http.post("/v1/users", json=body)
    again = await platform.http.post("/v1/users", json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert (again.json()["id"], again.json()["repeated"]) == (body["id"], True)
    other = await platform.http.post("/v1/users", json={**body, "id": new_id("user")})
    assert code_of(other, 409) == "name-taken"


@pytest.mark.parametrize(
    "body",
    [
        {"name": "nul\0"},
        {"name": "x" * 201},
        {"name": "A", "attributes": {"admin": "yes"}},
        {"name": "A", "attributes": {"groups": ["all"]}},
        {"name": "A", "login": ""},
        {"name": "A", "service": 1},
        {"name": "A", "password": "correct horse"},
        {"name": "A", "id": "group-1"},
    ],
)
async def test_bad_registrations_are_refused_and_store_nothing(
    platform: Platform, body: Any
) -> None:
    before = await platform.services.log.last()
    assert code_of(await platform.http.post("/v1/users", json=body), 422) == "invalid"
    assert await platform.services.log.last() == before


async def test_a_manager_gives_and_takes_roles_in_the_project(platform: Platform) -> None:
    ada, bob, eve = [await a_person(platform) for _ in range(3)]
    project = str((done(await ada.call("POST", "/projects", {"name": uuid4().hex})))["id"])
    place = f"/users/{bob.id}/roles/{project}"
    assert code_of(await eve.call("PUT", place, {"role": "viewer"}), 404) == "not-found"
    written = done(await ada.call("PUT", place, {"role": "viewer"}))
    params = {"min_position": written["position"]}
    assert (await bob.call("GET", f"/projects/{project}", params=params)).status_code == 200
    assert code_of(await bob.call("PUT", place, {"role": "manager"}), 403) == "forbidden"
    assert code_of(await ada.call("PUT", place, {"role": "king"}), 422) == "invalid"
    nobody = f"/users/{new_id('user')}/roles/{project}"
    assert code_of(await ada.call("PUT", nobody, {"role": "viewer"}), 404) == "not-found"
    done(await ada.call("DELETE", place))
    assert code_of(await bob.call("GET", f"/projects/{project}"), 404) == "not-found"


async def test_the_members_of_a_project_are_paged_by_id(platform: Platform) -> None:
    ada, eve = await a_person(platform), await a_person(platform)
    project = str((done(await ada.call("POST", "/projects", {"name": uuid4().hex})))["id"])
    group = await a_group(ada)
    done(await ada.call("PUT", f"/groups/{group}/roles/{project}", {"role": "viewer"}))
    people, written = [await a_person(platform) for _ in range(3)], {"position": 0}
    for person in people:
        place = f"/users/{person.id}/roles/{project}"
        written = done(await ada.call("PUT", place, {"role": "contributor"}))
    path, params = f"/projects/{project}/members", {"min_position": written["position"]}
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] | None = {}
    while cursor is not None:
        page = done(await ada.call("GET", path, params={**params, "limit": 2, **cursor}))
        seen += page["items"]
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None
    expected = {group: "viewer", ada.id: "manager"} | {p.id: "contributor" for p in people}
    assert {row["id"]: row["role"] for row in seen} == expected
    assert [row["id"] for row in seen] == sorted(expected)
    assert seen[0]["kind"] == "group"
    assert code_of(await eve.call("GET", path, params=params), 404) == "not-found"
    first = done(await ada.call("GET", path, params={"limit": 1}))
    stolen = {"cursor": first["next_cursor"]}
    other = await people[0].call("GET", path, params=stolen)
    assert code_of(other, 422) == "invalid-cursor"
    assert code_of(await ada.call("GET", path, params={"limit": 0}), 422) == "invalid"


async def test_a_group_gives_its_members_its_roles(platform: Platform) -> None:
    ada, bob, eve = [await a_person(platform) for _ in range(3)]
    project = str((done(await ada.call("POST", "/projects", {"name": uuid4().hex})))["id"])
    group = await a_group(ada)
    done(await ada.call("PUT", f"/groups/{group}/roles/{project}", {"role": "viewer"}))
    member = f"/groups/{group}/members/{bob.id}"
    assert code_of(await eve.call("PUT", member), 403) == "forbidden"
    written = done(await ada.call("PUT", member))
    done(await ada.call("PUT", member))
    params = {"min_position": written["position"]}
    assert (await bob.call("GET", f"/projects/{project}", params=params)).status_code == 200
    listed = done(await eve.call("GET", f"/groups/{group}/members", params=params))
    assert listed["items"] == [{"id": bob.id, "kind": "user", "role": None}]
    done(await ada.call("DELETE", member))
    assert code_of(await bob.call("GET", f"/projects/{project}"), 404) == "not-found"
    done(await ada.call("POST", f"/groups/{group}/archive"))
    assert code_of(await ada.call("PUT", member), 409) == "conflict"


async def test_a_role_for_a_group_needs_the_right_to_manage_the_project(
    platform: Platform,
) -> None:
    ada, eve = await a_person(platform), await a_person(platform)
    project = str((done(await ada.call("POST", "/projects", {"name": uuid4().hex})))["id"])
    done(await ada.call("PUT", f"/users/{eve.id}/roles/{project}", {"role": "viewer"}))
    group = await a_group(eve)
    place = f"/groups/{group}/roles/{project}"
    assert code_of(await eve.call("PUT", place, {"role": "manager"}), 403) == "forbidden"
    assert code_of(await eve.call("DELETE", place), 403) == "forbidden"


async def test_a_token_cannot_give_what_it_has_not(platform: Platform) -> None:
    ada = await a_person(platform, ["read", "admin"])
    path = f"/users/{ada.id}/tokens"
    refused = await ada.call("POST", path, {"scopes": ["read", "write"]})
    assert code_of(refused, 403) == "scope"
    given = (done(await ada.call("POST", path, {"label": "narrow"})))["token"]
    narrow = Person(platform, ada.id, given)
    assert (done(await narrow.call("GET", "/users/me")))["scopes"] == ["read", "admin"]
    password = await ada.call("PUT", f"/users/{ada.id}/password", {"password": "x" * 12})
    assert code_of(password, 403) == "scope"
    reader = await a_person(platform, ["read"])
    issued = await reader.call("POST", f"/users/{reader.id}/tokens", {"scopes": ["read"]})
    assert code_of(issued, 403) == "scope"
    bad: list[dict[str, Any]] = [
        {"scopes": ["root"]},
        {"scopes": []},
        {"expires_in_s": 0},
        {"label": "x" * 200},
    ]
    for body in bad:
        assert code_of(await ada.call("POST", path, body), 422) == "invalid"


async def test_a_repeated_issue_of_a_token_tells_no_second_secret(platform: Platform) -> None:
    ada = await a_person(platform)
    headers = {"Idempotency-Key": uuid4().hex}
    path = f"/users/{ada.id}/tokens"
    answers = await asyncio.gather(*(ada.call("POST", path, {}, headers=headers) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    repeats = [answer.json() for answer in answers if answer.status_code == 200]
    assert [(r["repeated"], r["token"]) for r in repeats] == [(True, None)] * 2
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_one_sees_and_revokes_ones_own_tokens(platform: Platform) -> None:
    ada, eve = await a_person(platform), await a_person(platform)
    issued = done(await ada.call("POST", f"/users/{ada.id}/tokens", {"expires_in_s": 60}))
    params = {"min_position": issued["position"]}
    rows = (done(await ada.call("GET", "/tokens", params=params)))["items"]
    assert {row["account"] for row in rows} == {ada.id}
    assert issued["id"] in {row["id"] for row in rows if row["expires_at"]}
    assert not any("digest" in row for row in rows)
    path = f"/tokens/{issued['id']}/revoke"
    assert code_of(await eve.call("POST", path), 404) == "not-found"
    done(await ada.call("POST", path))
    gone = Person(platform, ada.id, issued["token"])
    assert code_of(await gone.call("GET", "/users/me"), 401) == "unauthenticated"
    assert code_of(await ada.call("POST", path), 409) == "conflict"


async def test_an_expired_token_opens_nothing(platform: Platform) -> None:
    ada = await a_person(platform)
    issued = done(await ada.call("POST", f"/users/{ada.id}/tokens", {"expires_in_s": 1}))
    brief = Person(platform, ada.id, issued["token"])
    assert (await brief.call("GET", "/users/me")).status_code == 200
    answer: httpx.Response | None = None
    async with asyncio.timeout(10):
        while answer is None or answer.status_code == 200:
            await asyncio.sleep(0.05)
            answer = await brief.call("GET", "/users/me")
    assert code_of(answer, 401) == "unauthenticated"
