"""Questions about policies: each answer is compared with what the platform then does."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.aggregate import Context
from domain.experiment import Experiment
from domain.user import User
from hansard.formats.ids import new_id
from infra.event_store import Session
from policies.access import Access
from projections.access.facts import facts_of, subject_values
from tests.integration.conftest import Servers
from tests.integration.governing import (
    a_name,
    a_text,
    an_experiment,
    governed,
    in_force,
    latest,
    new_group,
)
from tests.integration.people import Person, a_person, a_project, code_of, done
from tests.integration.platform import Platform

USERS = 240
ACTIONS = ("read", "update", "share", "archive")


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


def a_context(platform: Platform) -> Context:
    return Context("system", datetime.now(UTC), "test")


async def ask(who: Person, question: str, **body: Any) -> dict[str, Any]:
    return done(await who.call("POST", f"/policies/{question}", body))


async def an_administrator(platform: Platform) -> Person:
    return await a_person(platform, attributes={"admin": True})


async def shown(platform: Platform, who: Person, noun: str) -> set[str]:
    """Everything of a kind that somebody sees in lists."""
    params: dict[str, Any] = {**await latest(platform), "limit": 500, "archived": True}
    found: set[str] = set()
    while True:
        page = done(await who.call("GET", f"/{noun}", params=params))
        found |= {item["id"] for item in page["items"]}
        if page["next_cursor"] is None:
            return found
        params["cursor"] = page["next_cursor"]


async def test_an_explanation_names_what_permits_denies_and_is_missing(
    platform: Platform,
) -> None:
    experiment, eve = await an_experiment(platform, visibility="public"), await a_person(platform)
    seen = await ask(eve, "explain", action="read", entity=experiment)
    assert (seen["permitted"], seen["policy"], seen["rule"]) == (True, "reading", "public")
    assert seen["because"] == "rule `public` of policy `reading` permits it"
    name = await in_force(
        platform,
        a_text(a_name(), f"r.obj.id == '{experiment}' and r.sub.cleared == 3", actions="archive",
               subject="{cleared: int}"),
    )  # fmt: skip
    answer = await ask(eve, "explain", action="archive", entity=experiment)
    assert not answer["permitted"]
    rules = {(rule["policy"], rule["rule"]): rule for rule in answer["rules"]}
    assert rules[name, "it"]["outcome"] == "denies"
    assert rules[name, "it"]["unknown"] == ["r.sub.cleared"]
    assert rules["changing", "owner"]["outcome"] == "does not apply"
    read = await ask(eve, "explain", action="read", entity=experiment)
    by_rule = {(rule["policy"], rule["rule"]): rule for rule in read["rules"]}
    assert by_rule["auditors", "auditor"]["outcome"] == "unknown"
    assert by_rule["auditors", "auditor"]["unknown"] == ["r.sub.auditor"]
    assert by_rule["reading", "public"]["outcome"] == "permits"
    assert read["policy_set"] == answer["policy_set"]


async def test_what_may_not_be_seen_is_not_explained(platform: Platform) -> None:
    experiment, eve = await an_experiment(platform), await a_person(platform)
    for entity in (experiment, new_id("experiment"), "name-0", "nothing"):
        body = {"action": "read", "entity": entity}
        for question in ("explain", "who-can"):
            answer = await eve.call("POST", f"/policies/{question}", body)
            assert code_of(answer, 404) == "not-found"
    public = await an_experiment(platform, visibility="public")
    answer = await eve.call("POST", "/policies/explain", {"action": "fly", "entity": public})
    assert code_of(answer, 422) == "invalid"


async def test_others_are_asked_about_only_where_their_attributes_are_seen(
    platform: Platform,
) -> None:
    experiment = await an_experiment(platform, visibility="public")
    eve, bob, admin = (
        await a_person(platform),
        await a_person(platform),
        await an_administrator(platform),
    )
    body = {"action": "archive", "entity": experiment, "subject": bob.id}
    assert code_of(await eve.call("POST", "/policies/explain", body), 403) == "masked"
    assert not (await ask(admin, "explain", **body))["permitted"]
    assert (await ask(bob, "explain", **body))["rule"] is None
    body = {"kind": "run", "subject": bob.id}
    assert code_of(await eve.call("POST", "/policies/what-if", body), 403) == "masked"
    body = {"kind": "run", "subject": new_id("user")}
    assert code_of(await eve.call("POST", "/policies/what-if", body), 404) == "not-found"


async def test_explanations_agree_with_what_commands_then_do(platform: Platform) -> None:
    chance = random.Random(5)
    people = [await a_person(platform) for _ in range(4)]
    group, project = await new_group(platform), await a_project(platform)
    http = platform.http
    done(await http.put(f"/v1/groups/{group}/members/{people[1].id}"))
    done(await http.put(f"/v1/users/{people[2].id}/roles/{project}", json={"role": "manager"}))
    agreed = {True: 0, False: 0}
    for number in range(24):
        body = {"name": f"experiment {number}", "project": project}
        id_ = done(await http.post("/v1/experiments", json=body))["id"]
        sharing = {
            "visibility": chance.choice(["private", "project", "public"]),
            "groups": chance.choice([[], [group]]),
            "users": chance.sample([person.id for person in people], chance.randrange(2)),
        }
        done(await http.put(f"/v1/experiments/{id_}/sharing", json=sharing))
        who, action = chance.choice(people), chance.choice(["read", "update"])
        answer = await who.call("POST", "/policies/explain", {"action": action, "entity": id_})
        if action == "read":
            does = await who.call("GET", f"/experiments/{id_}", params=await latest(platform))
        else:
            does = await who.call("PATCH", f"/experiments/{id_}", {"description": "x"})
        if answer.status_code == 404:
            assert does.status_code == 404
            continue
        permitted = done(answer)["permitted"]
        assert does.status_code == (200 if permitted else 403)
        agreed[permitted] += 1
    assert min(agreed.values()) >= 3


async def test_who_can_is_who_would_be_decided_to(platform: Platform) -> None:
    chance = random.Random(7)
    admin = await an_administrator(platform)
    group, project = await new_group(platform), await a_project(platform)
    people = [_somebody(chance, group, project) for _ in range(USERS)]

    async def register(session: Session) -> int:
        return await session.save(*people)

    await platform.services.store.run(a_context(platform), register)
    sharing = {"visibility": "project", "groups": [group], "users": [people[0].id]}
    name = f"experiment {a_name()}"
    created = await platform.http.post("/v1/experiments", json={"name": name, "project": project})
    entity = done(created)["id"]
    done(await platform.http.put(f"/v1/experiments/{entity}/sharing", json=sharing))
    await in_force(
        platform,
        a_text(
            a_name(),
            f"r.obj.id == '{entity}' and not r.sub.admin and r.sub.level < 3",
            subject="{level: int}",
        ),
    )
    params = await latest(platform)
    for action in ACTIONS:
        expected = await _decided(platform, entity, action)
        found: list[str] = []
        body: dict[str, Any] = {"action": action, "entity": entity, "limit": 100}
        while True:
            page = done(await admin.call("POST", "/policies/who-can", body, params=params))
            found += [item["id"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            body["cursor"] = page["next_cursor"]
        assert found == sorted(expected), action
        among = set(found) & {person.id for person in people}
        assert 5 < len(among) < USERS - 5, action
    body = {"action": "read", "entity": entity, "cursor": "AAAA"}
    answer = await admin.call("POST", "/policies/who-can", body)
    assert code_of(answer, 422) == "invalid-cursor"


def _somebody(chance: random.Random, group: str, project: str) -> User:
    attributes: dict[str, Any] = {}
    if chance.random() < 0.7:
        attributes["level"] = chance.choice([1, 2, 3, 4, "3", True])
    user = User.register(new_id("user"), "", attributes, chance.random() < 0.3)
    if chance.random() < 0.4:
        user.join(group)
    if chance.random() < 0.5:
        user.grant_role(project, chance.choice(["viewer", "contributor", "manager"]))
    if chance.random() < 0.1:
        user.disable()
    return user


async def _decided(platform: Platform, entity: str, action: str) -> list[str]:
    """Every user of the platform who is permitted, decided one by one on the record."""
    policies = await platform.services.policies.newest()
    now = datetime.now(UTC)
    with platform.services.pool.connection() as connection:
        ids = [id_ for (id_,) in connection.execute("SELECT id FROM account").fetchall()]

    async def decide(session: Session) -> list[str]:
        obj = await facts_of(session, await session.load(Experiment, entity))
        found = []
        for id_ in ids:
            user = await session.load(User, id_)
            values = await subject_values(session, user)
            access = Access(policies, policies.subject.facts(values), now)
            wanted = {"read", action}
            if all(access.ruling("experiment", each, obj).permitted for each in wanted):
                found.append(id_)
        return found

    return await platform.services.store.run(a_context(platform), decide)
