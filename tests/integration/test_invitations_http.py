"""Invitations through HTTP: who may issue them, what they make of whom, and how they close."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.conftest import Servers
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
from tests.integration.platform import Platform, running


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path) as platform:
        yield platform


async def a_manager(platform: Platform) -> tuple[Person, str]:
    """A person and the project that the person has opened."""
    person = await a_person(platform)
    return person, str(done(await person.call("POST", "/projects", {"name": uuid4().hex}))["id"])


async def invited(by: Person, **body: Any) -> dict[str, Any]:
    return done(await by.call("POST", "/invitations", body))


async def accept(person: Person, secret: str) -> httpx.Response:
    return await person.call("POST", "/invitations/accept", {"secret": secret})


async def join(platform: Platform, secret: str, **more: Any) -> httpx.Response:
    """From an address of its own."""
    body = {"secret": secret, "name": "Grace", "login": a_login(), "password": PASSWORD, **more}
    async with visiting(platform, uuid4().hex) as http:
        return await http.post("/v1/invitations/join", json=body)


async def role_of(platform: Platform, project: str, user: str, position: int) -> str | None:
    params = {"min_position": position}
    answer = done(await platform.http.get(f"/v1/projects/{project}/members", params=params))
    return {row["id"]: row["role"] for row in answer["items"]}.get(user)


async def test_an_invitation_gives_a_user_the_role_once(platform: Platform) -> None:
    (ada, project), bob, eve = (
        await a_manager(platform),
        *[await a_person(platform) for _ in range(2)],
    )
    invitation = await invited(ada, project=project, role="contributor")
    position = done(await accept(bob, invitation["secret"]))["position"]
    assert await role_of(platform, project, bob.id, position) == "contributor"
    for person in (bob, eve):
        assert code_of(await accept(person, invitation["secret"]), 404) == "not-found"
    rows = done(await ada.call("GET", "/invitations", params={"min_position": position}))["items"]
    assert [row["accepted"] for row in rows if row["id"] == invitation["id"]] == [[bob.id]]
    assert not any("digest" in row or "secret" in row for row in rows)
    assert done(await eve.call("GET", "/invitations"))["items"] == []


async def test_one_use_is_one_use_however_many_accept_at_once(platform: Platform) -> None:
    ada, project = await a_manager(platform)
    people = [await a_person(platform) for _ in range(4)]
    secret = (await invited(ada, project=project, role="viewer"))["secret"]
    answers = await asyncio.gather(*(accept(person, secret) for person in people))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]


async def test_an_invitation_takes_no_higher_role_away(platform: Platform) -> None:
    (ada, project), bob = await a_manager(platform), await a_person(platform)
    done(await ada.call("PUT", f"/users/{bob.id}/roles/{project}", {"role": "manager"}))
    secret = (await invited(ada, project=project, role="viewer"))["secret"]
    position = done(await accept(bob, secret))["position"]
    assert await role_of(platform, project, bob.id, position) == "manager"


async def test_whoever_joins_is_a_user_with_a_session_and_a_password(platform: Platform) -> None:
    ada, project = await a_manager(platform)
    secret = (await invited(ada, project=project, role="viewer"))["secret"]
    login = a_login()
    joined = done(await join(platform, secret, login=login, mail="grace@example.org"))
    grace = Person(platform, joined["user"], joined["token"])
    me = done(await grace.call("GET", "/users/me"))
    assert (me["name"], me["mail"]) == ("Grace", "grace@example.org")
    assert (me["roles"], me["admin"], me["attributes"]) == ({project: "viewer"}, False, {})
    assert await role_of(platform, project, grace.id, joined["position"]) == "viewer"
    async with visiting(platform, uuid4().hex) as http:
        body = {"login": login, "password": PASSWORD}
        assert done(await http.post("/v1/session", json=body))["user"] == grace.id
    assert code_of(await join(platform, secret), 404) == "not-found"


async def test_of_many_who_join_at_once_as_many_succeed_as_there_are_uses(
    platform: Platform,
) -> None:
    ada, project = await a_manager(platform)
    secret = (await invited(ada, project=project, role="viewer", uses=2))["secret"]
    answers = await asyncio.gather(*(join(platform, secret) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 404, 404]


async def test_a_refused_newcomer_uses_nothing_up(platform: Platform) -> None:
    ada, project = await a_manager(platform)
    login = a_login()
    await a_person(platform, login=login)
    secret = (await invited(ada, project=project, role="viewer"))["secret"]
    refused: list[dict[str, Any]] = [
        {"password": "short"},
        {"name": "nul\0"},
        {"login": ""},
        {"attributes": {}},
    ]
    for wrong in refused:
        assert code_of(await join(platform, secret, **wrong), 422) == "invalid"
    assert code_of(await join(platform, secret, login=login), 409) == "name-taken"
    done(await join(platform, secret))


async def test_every_closed_or_wrong_invitation_has_the_same_answer(platform: Platform) -> None:
    ada, project = await a_manager(platform)
    bob = await a_person(platform)
    aim = {"project": project, "role": "viewer"}
    revoked, good = await invited(ada, **aim), await invited(ada, **aim)
    done(await ada.call("POST", f"/invitations/{revoked['id']}/revoke"))
    brief = await invited(ada, **aim, expires_in_s=1)
    left, others = await a_manager(platform)
    orphaned = await invited(left, project=others, role="viewer")
    done(await platform.http.post(f"/v1/users/{left.id}/disable"))
    await asyncio.sleep(1.1)
    end = "A" if good["secret"][-1] != "A" else "B"
    answers = []
    for secret in (
        *(invitation["secret"] for invitation in (revoked, brief, orphaned)),
        *(good["secret"][:-1] + end, "nonsense", ada.token, "hsi_" + "0" * 32 + "_" + "x" * 40),
    ):
        answers += [await accept(bob, secret), await join(platform, secret)]
    assert {code_of(answer, 404) for answer in answers} == {"not-found"}
    assert len({answer.json()["detail"] for answer in answers}) == 1
    bearer = Person(platform, "", good["secret"])
    assert code_of(await bearer.call("GET", "/users/me"), 401) == "unauthenticated"


async def test_an_invitation_is_worth_what_its_issuer_may_do_now(platform: Platform) -> None:
    (ada, project), bob = await a_manager(platform), await a_person(platform)
    secret = (await invited(ada, project=project, role="manager", uses=2))["secret"]
    place = f"/v1/users/{ada.id}/roles/{project}"
    for verb, body in (("PUT", {"role": "contributor"}), ("DELETE", None)):
        done(await platform.http.request(verb, place, json=body))
        dead = [await accept(bob, secret), await join(platform, secret)]
        assert {code_of(answer, 404) for answer in dead} == {"not-found"}
        unknown = await accept(bob, "nonsense")
        assert {answer.json()["detail"] for answer in dead} == {unknown.json()["detail"]}
    done(await platform.http.put(place, json={"role": "manager"}))
    done(await accept(bob, secret))
    done(await join(platform, secret))


async def test_nobody_accepts_an_invitation_of_their_own(platform: Platform) -> None:
    (ada, project), bob = await a_manager(platform), await a_person(platform)
    secret = (await invited(ada, project=project, role="viewer"))["secret"]
    assert code_of(await accept(ada, secret), 404) == "not-found"
    done(await accept(bob, secret))


async def test_closed_invitations_admit_whom_their_issuer_could_register(
    platform: Platform,
) -> None:
    platform.services.settings.open_invitations = False
    (ada, project), bob = await a_manager(platform), await a_person(platform)
    body = {"project": project, "role": "viewer"}
    secret = (await invited(ada, **body))["secret"]
    assert code_of(await join(platform, secret), 403) == "forbidden"
    done(await accept(bob, secret))
    issued = done(await platform.http.post("/v1/invitations", json=body))
    done(await join(platform, issued["secret"]))


async def test_secrets_cannot_be_tried_without_end(platform: Platform) -> None:
    body = {"secret": "nonsense", "name": "G", "login": a_login(), "password": PASSWORD}
    async with visiting(platform, uuid4().hex) as http:
        codes = [
            (await http.post("/v1/invitations/join", json=body)).status_code for _ in range(21)
        ]
    assert codes == [404] * 20 + [429]


async def test_only_who_manages_a_project_invites_to_it(platform: Platform) -> None:
    ada, project = await a_manager(platform)
    bob, eve = [await a_person(platform) for _ in range(2)]
    done(await ada.call("PUT", f"/users/{bob.id}/roles/{project}", {"role": "contributor"}))
    body = {"project": project, "role": "manager"}
    assert code_of(await bob.call("POST", "/invitations", body), 403) == "forbidden"
    assert code_of(await eve.call("POST", "/invitations", body), 404) == "not-found"
    group = await a_group(ada)
    both = {**body, "group": group}
    assert code_of(await ada.call("POST", "/invitations", both), 403) == "forbidden"
    invitation = await invited(ada, **body)
    path = f"/invitations/{invitation['id']}/revoke"
    for person in (bob, eve):
        assert code_of(await person.call("POST", path), 404) == "not-found"
    reader = await a_person(platform, ["read"])
    assert code_of(await accept(reader, invitation["secret"]), 403) == "scope"


async def test_an_administrator_invites_to_a_group(platform: Platform) -> None:
    ada, bob = await a_person(platform), await a_person(platform)
    group, project = await a_group(ada), await a_project(platform)
    issued = await platform.http.post("/v1/invitations", json={"group": group})
    secret = done(issued)["secret"]
    done(await accept(bob, secret))
    assert done(await bob.call("GET", "/users/me"))["groups"] == [group]
    done(await platform.http.post(f"/v1/projects/{project}/archive"))
    archived = {"project": project, "role": "viewer"}
    refused = await platform.http.post("/v1/invitations", json=archived)
    assert code_of(refused, 409) == "conflict"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"role": "viewer"},
        {"project": "project-1", "role": "viewer"},
        {"group": "group-1", "uses": 0},
        {"group": "group-1", "uses": 101},
        {"group": "group-1", "expires_in_s": 31 * 24 * 3600},
        {"group": "group-1", "secret": "mine"},
    ],
)
async def test_bad_invitations_are_refused(platform: Platform, body: dict[str, Any]) -> None:
    answer = await platform.http.post("/v1/invitations", json=body)
    assert code_of(answer, 422) == "invalid"


async def test_a_repeated_invitation_tells_no_second_secret(platform: Platform) -> None:
    ada, project = await a_manager(platform)
    headers, body = {"Idempotency-Key": uuid4().hex}, {"project": project, "role": "viewer"}
    answers = await asyncio.gather(
        *(ada.call("POST", "/invitations", body, headers=headers) for _ in range(3))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [a.json()["secret"] for a in answers if a.status_code == 200] == [None, None]
