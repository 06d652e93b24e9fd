"""What asking about policies costs and tells: rights first, nothing remembered, masks kept."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from policies.compiled import compiled
from tests.integration.conftest import Servers
from tests.integration.governing import (
    a_name,
    a_text,
    an_experiment,
    governed,
    in_force,
    latest,
    post,
    propose,
)
from tests.integration.people import Person, a_person, a_project, code_of, done
from tests.integration.platform import Platform


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


def a_new_text(name: str, numbers: range) -> str:
    """Conditions that nobody has compiled before."""
    rule = " or ".join(f"r.obj.name == '{name} {number}'" for number in numbers)
    return a_text(name, rule, tests="[{sub: {admin: true}, obj: {name: x}, expect: permit}]")


async def test_texts_that_are_only_asked_about_are_not_remembered(platform: Platform) -> None:
    eve = await a_person(platform)
    params = await latest(platform)

    async def ask(text: str) -> None:
        body = {"kind": "experiment", "text": text}
        done(await eve.call("POST", "/policies/what-if", body, params=params))
        assert done(await post(platform, "test", text=text))["passed"]

    await ask(a_new_text(a_name(), range(1)))
    before = compiled.cache_info()
    await ask(a_new_text(a_name(), range(20)))
    after = compiled.cache_info()
    assert (after.misses, after.currsize) == (before.misses, before.currsize)


async def test_rights_are_looked_at_before_texts(platform: Platform) -> None:
    writer, eve = await a_person(platform, ["write"]), await a_person(platform)
    bob = await a_person(platform)
    no_text = "policy: ["
    body: dict[str, Any] = {"kind": "run", "text": no_text}
    assert code_of(await writer.call("POST", "/policies/what-if", body), 403) == "scope"
    tested = await writer.call("POST", "/policies/test", {"text": no_text})
    assert code_of(tested, 403) == "scope"
    about = {**body, "subject": bob.id}
    assert code_of(await eve.call("POST", "/policies/what-if", about), 403) == "masked"
    assert code_of(await eve.call("POST", "/policies/what-if", body), 422) == "invalid-policy"


async def test_long_texts_are_for_administrators_to_try(platform: Platform) -> None:
    eve, admin = await a_person(platform), await a_person(platform, attributes={"admin": True})
    text = a_text(a_name(), "False") + f"# {'x' * 16_384}\n"
    body = {"kind": "run", "text": text}
    assert code_of(await eve.call("POST", "/policies/what-if", body), 422) == "invalid"
    assert code_of(await eve.call("POST", "/policies/test", {"text": text}), 422) == "invalid"
    done(await admin.call("POST", "/policies/what-if", body, params=await latest(platform)))


async def decisions(platform: Platform, who: Person) -> int:
    """How many decisions on somebody are in the record."""
    params: dict[str, Any] = {**await latest(platform), "subject": who.id, "limit": 500}
    return len(done(await platform.http.get("/v1/decisions", params=params))["items"])


async def test_denials_do_not_fill_the_record(platform: Platform) -> None:
    eve = await a_person(platform)
    names = [await an_experiment(platform, visibility="public") for _ in range(3)]
    for _ in range(100):
        name = a_name()
        path, text = f"/policies/{name}/proposals", a_text(name, "False")
        assert code_of(await eve.call("POST", path, {"text": text}), 403) == "forbidden"
    assert await decisions(platform, eve) == 0
    name = a_name()
    await propose(platform, name, a_text(name, "False"))
    for entity in names:
        path = f"/experiments/{entity}/sharing"
        assert code_of(await eve.call("PUT", path, {"visibility": "private"}), 403) == "forbidden"
        answer = await eve.call("POST", f"/policies/{name}/proposals/1/approve")
        assert code_of(answer, 403) == "forbidden"
    assert await decisions(platform, eve) == 2


async def who_can(who: Person, platform: Platform, entity: str) -> set[str]:
    """Everybody who can read an entity, as far as that is told."""
    body: dict[str, Any] = {"action": "read", "entity": entity, "limit": 500}
    params, found = await latest(platform), set()
    while True:
        page = done(await who.call("POST", "/policies/who-can", body, params=params))
        found |= {item["id"] for item in page["items"]}
        if page["next_cursor"] is None:
            return found
        body["cursor"] = page["next_cursor"]


async def test_who_can_does_not_tell_masked_attributes(platform: Platform) -> None:
    auditor = await a_person(platform, attributes={"auditor": True})
    admin, eve = await a_person(platform, attributes={"admin": True}), await a_person(platform)
    member, project = await a_person(platform), await a_project(platform)
    for person in (eve, member):
        path = f"/v1/users/{person.id}/roles/{project}"
        done(await platform.http.put(path, json={"role": "viewer"}))
    body = {"name": a_name(), "project": project}
    entity = done(await platform.http.post("/v1/experiments", json=body))["id"]
    sharing = {"visibility": "project"}
    done(await platform.http.put(f"/v1/experiments/{entity}/sharing", json=sharing))
    people = {auditor.id, admin.id, eve.id, member.id}
    assert await who_can(admin, platform, entity) & people == people
    assert await who_can(eve, platform, entity) & people == {eve.id, admin.id}


async def test_suppositions_on_people_tell_nothing_of_their_projects(platform: Platform) -> None:
    eve, bob, project = (
        await a_person(platform),
        await a_person(platform),
        await a_project(platform),
    )
    admin = await a_person(platform, attributes={"admin": True})
    path = f"/v1/users/{bob.id}/roles/{project}"
    done(await platform.http.put(path, json={"role": "viewer"}))
    name = a_name()
    mask = a_text(name, "False", entity="user")
    await in_force(platform, mask + "mask:\n  - {fields: [viewer_of], when: r.sub.admin}\n")
    for rule in ("'{}' in r.obj.projects", "not ('{}' not in r.obj.projects)"):
        text = a_text(a_name(), rule.format(project), entity="user")
        body = {"kind": "user", "text": text}
        params = await latest(platform)
        told = done(await eve.call("POST", "/policies/what-if", body, params=params))
        assert (told["gained"]["count"], told["lost"]["count"]) == (0, 0)
        body["subject"] = eve.id
        told = done(await admin.call("POST", "/policies/what-if", body, params=params))
        assert bob.id in told["lost"]["sample"]


async def test_what_decisions_were_made_from_is_for_administrators_and_auditors(
    platform: Platform,
) -> None:
    eve = await a_person(platform)
    auditor = await a_person(platform, attributes={"auditor": True})
    entity = await an_experiment(platform, visibility="public")
    path = f"/experiments/{entity}/sharing"
    assert code_of(await eve.call("PUT", path, {"visibility": "private"}), 403) == "forbidden"
    params = {**await latest(platform), "subject": eve.id}
    [item] = done(await eve.call("GET", "/decisions", params=params))["items"]
    own = done(await eve.call("GET", f"/decisions/{item['id']}"))
    assert (own["detail"], own["masked"], own["permitted"]) == (None, ["detail"], False)
    assert done(await eve.call("POST", f"/decisions/{item['id']}/verify"))["agrees"]
    whole = done(await auditor.call("GET", f"/decisions/{item['id']}"))
    assert whole["detail"]["object"]["id"] == entity
