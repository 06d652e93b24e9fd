"""What people cannot do through HTTP: learn of others' projects, rise, pose as somebody else."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.main import listen, serving
from domain.aggregate import Context
from domain.user import User
from hansard.formats.ids import new_id
from projections.access.facts import facts_of
from tests.integration.conftest import Servers
from tests.integration.governing import a_name, a_text, governed, in_force
from tests.integration.people import (
    PASSWORD,
    Person,
    a_group,
    a_login,
    a_person,
    a_project,
    code_of,
    done,
    visiting,
)
from tests.integration.platform import Platform


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


async def an_auditor(platform: Platform) -> Person:
    return await a_person(platform, attributes={"auditor": True})


async def a_role(platform: Platform, holder: str, project: str, role: str) -> dict[str, int]:
    """Parameters that wait for it; `holder` is a place such as `users/…`."""
    path = f"/v1/{holder}/roles/{project}"
    answer = done(await platform.http.put(path, json={"role": role}))
    return {"min_position": answer["position"]}


async def test_nobody_learns_the_projects_of_others_by_filters(platform: Platform) -> None:
    ada, eve, auditor = (
        *[await a_person(platform) for _ in range(2)],
        await an_auditor(platform),
    )
    project = await a_project(platform)
    params = await a_role(platform, f"users/{ada.id}", project, "viewer")
    found = {}
    for person in (ada, eve, auditor):
        asked = {**params, "filter": f"'{project}' in projects"}
        rows = done(await person.call("GET", "/users", params=asked))["items"]
        found[person.id] = {row["id"] for row in rows} & {ada.id}
    assert found == {ada.id: {ada.id}, eve.id: set(), auditor.id: {ada.id}}
    seen = done(await auditor.call("GET", f"/users/{ada.id}", params=params))
    assert seen["viewer_of"] == [project]
    masked = done(await eve.call("GET", f"/users/{ada.id}", params=params))["masked"]
    assert "viewer_of" in masked


async def test_the_roles_of_a_group_are_the_business_of_its_members(platform: Platform) -> None:
    ada, bob, eve, auditor = (
        *[await a_person(platform) for _ in range(3)],
        await an_auditor(platform),
    )
    group, project = await a_group(ada), await a_project(platform)
    done(await ada.call("PUT", f"/groups/{group}/members/{bob.id}"))
    params = await a_role(platform, f"groups/{group}", project, "viewer")
    for person, shown in ((ada, True), (bob, True), (auditor, True), (eve, False)):
        row = done(await person.call("GET", f"/groups/{group}", params=params))
        assert row["roles"] == ({project: "viewer"} if shown else None)
        rows = done(await person.call("GET", "/groups", params={"limit": 500}))["items"]
        assert [r["roles"] for r in rows if r["id"] == group] == [row["roles"]]


async def test_auditors_read_projects_under_embargo(platform: Platform) -> None:
    member, auditor = await a_person(platform), await an_auditor(platform)
    project = await a_project(platform)
    params = await a_role(platform, f"users/{member.id}", project, "manager")
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    done(await platform.http.put(f"/v1/projects/{project}/embargo", json={"until": until}))
    path = f"/projects/{project}"
    assert done(await auditor.call("GET", path, params=params))["id"] == project
    assert code_of(await member.call("GET", path, params=params), 404) == "not-found"


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [("max_gpus", "0", 0), ("max_gpus", True, 1), ("pools", "big", ["big"]), ("auditor", 1, False)],
)
async def test_an_attribute_has_the_type_that_policies_declare(
    platform: Platform, name: str, wrong: Any, right: Any
) -> None:
    body = {"name": "Grace", "attributes": {"team": "0", name: wrong}}
    refused = [await platform.http.post("/v1/users", json=body)]
    ada = await a_person(platform, attributes={name: right})
    path = f"/v1/users/{ada.id}/attributes"
    refused.append(await platform.http.put(path, json={"attributes": body["attributes"]}))
    for answer in refused:
        assert code_of(answer, 422) == "invalid"
        assert answer.json()["field"] == f"attributes.{name}"
    assert done(await ada.call("GET", "/users/me"))["attributes"] == {name: right}


async def test_everybody_may_leave_a_group(platform: Platform) -> None:
    ada, bob, eve = [await a_person(platform) for _ in range(3)]
    group = await a_group(ada)
    for person in (bob, eve):
        done(await ada.call("PUT", f"/groups/{group}/members/{person.id}"))
    for path in ("me", "me", bob.id):
        assert done(await bob.call("DELETE", f"/groups/{group}/members/{path}"))["id"] == bob.id
    assert done(await bob.call("GET", "/users/me"))["groups"] == []
    others = await bob.call("DELETE", f"/groups/{group}/members/{eve.id}")
    assert code_of(others, 403) == "forbidden"
    back = await bob.call("PUT", f"/groups/{group}/members/{bob.id}")
    assert code_of(back, 403) == "forbidden"
    nowhere = await bob.call("DELETE", f"/groups/{new_id('group')}/members/me")
    assert code_of(nowhere, 404) == "not-found"
    writer = done(await eve.call("POST", f"/users/{eve.id}/tokens", {"scopes": ["write"]}))
    narrow = Person(platform, eve.id, writer["token"])
    kept = await narrow.call("DELETE", f"/groups/{group}/members/me")
    assert code_of(kept, 403) == "scope"


async def test_everybody_may_drop_a_role_of_their_own(platform: Platform) -> None:
    ada, bob = [await a_person(platform) for _ in range(2)]
    project = await a_project(platform)
    for person in (ada, bob):
        await a_role(platform, f"users/{person.id}", project, "viewer")
    others = await bob.call("DELETE", f"/users/{ada.id}/roles/{project}")
    assert code_of(others, 403) == "forbidden"
    done(await bob.call("DELETE", f"/users/{bob.id}/roles/{project}"))
    assert done(await bob.call("GET", "/users/me"))["roles"] == {}
    again = await bob.call("DELETE", f"/users/{bob.id}/roles/{project}")
    assert code_of(again, 404) == "not-found"


async def test_no_attribute_passes_for_a_fact(platform: Platform) -> None:
    ada = User.register(new_id("user"), "", {})
    claims = {"owner": "user-eve", "projects": ["project-x"], "created_at": "now", "id": "user-eve"}
    ada.trigger_event(User.AttributesChanged, attributes=claims)
    context = Context("user-bob", datetime.now(UTC), "test")
    facts = await platform.services.store.run(context, lambda session: facts_of(session, ada))
    assert (facts["id"], facts["owner"]) == (ada.id, "user-bob")
    assert (facts["projects"], facts["created_at"]) == (frozenset(), ada.created_on)


async def test_only_administrators_say_who_is_one_whatever_policies_permit(
    platform: Platform,
) -> None:
    helper, other = await a_person(platform), await a_person(platform, attributes={"admin": True})
    rule = f"r.sub.id == '{helper.id}'"
    more = {"entity": "user", "actions": "[create, update]"}
    await in_force(platform, a_text(a_name(), rule, effect="permit", **more))
    admin = {"attributes": {"admin": True}}
    made = done(await helper.call("POST", "/users", {"name": "Grace"}))["id"]
    for verb, path, body in (
        ("POST", "/users", {"name": "Grace", **admin}),
        ("PUT", f"/users/{helper.id}/attributes", admin),
        ("PUT", f"/users/{other.id}/attributes", {"attributes": {}}),
        ("POST", f"/users/{other.id}/disable", None),
    ):
        refused = await helper.call(verb, path, body)
        assert (code_of(refused, 403), refused.json()["field"]) == ("forbidden", "attributes.admin")
    done(await helper.call("POST", f"/users/{made}/disable"))
    later = await helper.call("PUT", f"/users/{made}/attributes", admin)
    assert code_of(later, 403) == "forbidden"
    done(await helper.call("PUT", f"/users/{made}/attributes", {"attributes": {"team": "a"}}))
    done(await other.call("PUT", f"/users/{made}/attributes", admin))


@pytest.mark.parametrize("kind", ["group", "user"])
async def test_lists_of_whom_to_share_with_are_bounded(platform: Platform, kind: str) -> None:
    project = await a_project(platform)
    many = [new_id(kind) for _ in range(101)]
    answers = [
        await platform.http.put(f"/v1/projects/{project}/sharing", json={f"{kind}s": ids})
        for ids in (many, many[:100])
    ]
    assert [code_of(answers[0], 422), code_of(answers[1], 404)] == ["invalid", "not-found"]


async def ends(person: Person, issued: dict[str, Any]) -> str | None:
    params = {"min_position": issued["position"], "limit": 500}
    rows = done(await person.call("GET", "/tokens", params=params))["items"]
    found: str | None = next(r["expires_at"] for r in rows if r["id"] == issued["id"])
    return found


async def test_a_token_does_not_outlive_the_one_that_issued_it(platform: Platform) -> None:
    ada = await a_person(platform)
    path = f"/users/{ada.id}/tokens"
    brief = done(await ada.call("POST", path, {"expires_in_s": 600}))
    end, by_brief = await ends(ada, brief), Person(platform, ada.id, brief["token"])
    for body in ({}, {"expires_in_s": 10**6}):
        assert await ends(ada, done(await by_brief.call("POST", path, body))) == end
    shorter = await ends(ada, done(await by_brief.call("POST", path, {"expires_in_s": 60})))
    assert shorter is not None
    assert end is not None
    assert shorter < end
    assert await ends(ada, done(await ada.call("POST", path, {}))) is None


async def test_who_has_signed_in_issues_tokens_for_ever(platform: Platform) -> None:
    login = a_login()
    ada = await a_person(platform, login=login)
    done(await ada.call("PUT", f"/users/{ada.id}/password", {"password": PASSWORD}))
    async with visiting(platform, uuid4().hex) as http:
        opened = done(await http.post("/v1/session", json={"login": login, "password": PASSWORD}))
    session = Person(platform, ada.id, opened["token"])
    issued = done(await session.call("POST", f"/users/{ada.id}/tokens", {}))
    assert await ends(ada, issued) is None


async def test_a_token_that_may_not_read_does_not_tell_of_its_owner(platform: Platform) -> None:
    ada = await a_person(platform, ["write"])
    assert code_of(await ada.call("GET", "/users/me"), 403) == "scope"


async def test_an_address_cannot_be_made_up(platform: Platform) -> None:
    settings = platform.settings.model_copy(update={"host": "127.0.0.1", "port": 0})
    with listen(settings) as listener:
        listener.listen()
        base = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        async with serving(settings) as server, httpx.AsyncClient(base_url=base) as http:
            task = asyncio.create_task(server.serve([listener]))
            codes = []
            for number in range(21):
                headers = {"X-Forwarded-For": f"10.0.0.{number}"}
                body = {"login": a_login(), "password": PASSWORD}
                answer = await http.post("/session", json=body, headers=headers)
                codes.append(answer.status_code)
            server.should_exit = True
            await task
    assert codes == [401] * 20 + [429]
