"""The life of policies through HTTP: proposed, looked at, approved, in force, retired, refused."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.policy import policy_id
from policies.kinds import SCHEMAS
from tests.integration.conftest import Servers
from tests.integration.governing import (
    a_name,
    a_text,
    activate,
    an_experiment,
    governed,
    latest,
    post,
    propose,
)
from tests.integration.people import a_person, code_of, done
from tests.integration.platform import Platform


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


async def test_a_policy_acts_from_its_activation_to_its_retirement(platform: Platform) -> None:
    experiment, eve = await an_experiment(platform, visibility="public"), await a_person(platform)
    bob = await a_person(platform, attributes={"admin": True})
    name = a_name()
    number = await propose(platform, name, a_text(name, f"r.obj.id == '{experiment}'"))
    path = f"/policies/{name}/proposals/{number}"
    done(await bob.call("POST", f"{path}/approve"))
    assert (await eve.call("GET", f"/experiments/{experiment}")).status_code == 200
    done(await bob.call("POST", f"{path}/activate", {"confirm_loss": 10**6}))
    assert code_of(await eve.call("GET", f"/experiments/{experiment}"), 404) == "not-found"
    retired = {"reason": "it was a mistake"}
    position = done(await platform.http.post(f"/v1/policies/{name}/retire", json=retired))
    params = {"min_position": position["position"]}
    assert (await eve.call("GET", f"/experiments/{experiment}", params=params)).status_code == 200
    items = done(await eve.call("GET", f"/policies/{name}/history"))["items"]
    assert [(item["what"], item["by"]) for item in items[-3:]] == [
        ("approved", bob.id),
        ("activated", bob.id),
        ("retired", items[0]["by"]),
    ]
    assert [item["what"] for item in items[:-3]] == ["created", "proposed"]
    assert items[1]["comment"] == "for a test"
    assert items[-2]["confirmed_loss"] > 0
    assert items[-1]["reason"] == "it was a mistake"
    assert all(item["at"] for item in items)


async def test_policies_are_listed_and_read_by_name_and_by_id(platform: Platform) -> None:
    name = a_name()
    text = a_text(name, "False")
    await propose(platform, name, text)
    params = await latest(platform)
    for wanted in (name, policy_id(name)):
        row = done(await platform.http.get(f"/v1/policies/{wanted}", params=params))
        assert (row["id"], row["active"]) == (policy_id(name), None)
        assert [proposal["text"] for proposal in row["proposals"]] == [text]
    listed = done(await platform.http.get("/v1/policies", params={**params, "limit": 500}))
    assert {policy_id("reading"), policy_id(name)} <= {row["id"] for row in listed["items"]}
    assert code_of(await platform.http.get(f"/v1/policies/{a_name()}"), 404) == "not-found"
    assert code_of(await platform.http.get("/v1/policies/No Name"), 422) == "invalid"


async def test_the_schema_tells_editors_what_conditions_can_speak_of(platform: Platform) -> None:
    found = done(await platform.http.get("/v1/policies/schema"))
    assert found["kinds"].keys() == SCHEMAS.keys()
    run = found["kinds"]["run"]
    assert run["attributes"]["embargo_until"] == {"type": "time", "nullable": True}
    assert "cancel" in run["actions"]
    assert "metrics" in run["maps"]
    assert "parameters" in run["maskable"]
    assert run["filters"]["seed"]["type"] == "int"
    assert found["subject"]["auditor"] == {"type": "bool", "nullable": True}
    assert "first-applicable" in found["combining"]


async def test_a_proposal_that_makes_no_sense_is_refused_with_the_place(
    platform: Platform,
) -> None:
    name = a_name()
    cases = {
        "an unknown attribute": (
            a_text(name, "r.obj.ownr == r.sub.id"),
            f"{name}/it",
            "r.obj.owner",
        ),
        "another name": (a_text("other", "False"), "policy", name),
        "an unknown action": (a_text(name, "False", actions="fly"), f"{name}/actions", "fly"),
        "no YAML": ("policy: [", "policy", "YAML"),
        "a type that differs elsewhere": (
            a_text(name, "False", subject="{auditor: str}"),
            f"{name}/subject",
            "auditor",
        ),
        "a test of nothing": (
            a_text(name, "False", tests="[{sub: {nobody: 1}, expect: deny}]"),
            f"{name}/tests.1.sub",
            "nobody",
        ),
    }
    for what, (text, where, word) in cases.items():
        answer = await post(platform, f"{name}/proposals", text=text)
        assert code_of(answer, 422) == "invalid-policy", what
        assert answer.json()["where"] == where, what
        assert word in answer.json()["detail"], what
    answer = await post(platform, f"{name}/proposals", text="x", more=1)
    assert code_of(answer, 422) == "invalid"
    assert code_of(await platform.http.get(f"/v1/policies/{name}"), 404) == "not-found"


async def test_a_repeated_proposal_is_made_once(platform: Platform) -> None:
    name = a_name()
    body = {"text": a_text(name, "False")}
    headers = {"Idempotency-Key": name}
    path = f"/v1/policies/{name}/proposals"
    first = done(await platform.http.post(path, json=body, headers=headers))
    again = done(await platform.http.post(path, json=body, headers=headers))
    assert (again["id"], again["repeated"]) == (first["id"], True)
    assert done(await platform.http.post(path, json=body))["number"] == 1
    commented = {"text": "# the same\n" + body["text"]}
    assert done(await platform.http.post(path, json=commented))["number"] == 1
    row = done(await platform.http.get(f"/v1/policies/{name}", params=await latest(platform)))
    assert len(row["proposals"]) == 1


async def test_two_first_proposals_at_once_are_both_there(platform: Platform) -> None:
    name = a_name()
    numbers = await asyncio.gather(
        propose(platform, name, a_text(name, "False")),
        propose(platform, name, a_text(name, "not r.sub.active")),
    )
    assert sorted(numbers) == [1, 2]


async def test_only_administrators_govern(platform: Platform) -> None:
    eve, name = await a_person(platform), a_name()
    text = a_text(name, "False")
    number = await propose(platform, name, text)
    for path, body in (
        (f"{name}/proposals", {"text": text}),
        (f"{a_name()}/proposals", {"text": text}),
        (f"{name}/proposals/{number}/approve", None),
        (f"{name}/proposals/{number}/activate", {}),
        (f"{name}/proposals/{number}/diff", None),
        (f"{name}/retire", {"reason": ""}),
        ("test", {"text": text}),
    ):
        assert code_of(await eve.call("POST", f"/policies/{path}", body), 403) == "forbidden", path
    bob = await a_person(platform, ["read", "write"], attributes={"admin": True})
    answer = await bob.call("POST", f"/policies/{name}/proposals/{number}/activate", {})
    assert code_of(answer, 403) == "scope"


async def test_what_is_not_there_or_out_of_turn_is_refused(platform: Platform) -> None:
    name = a_name()
    number = await propose(platform, name, a_text(name, "False"))
    assert code_of(await post(platform, f"{name}/proposals/{number}/approve"), 409) == "conflict"
    assert code_of(await post(platform, f"{name}/proposals/7/activate"), 404) == "not-found"
    assert code_of(await post(platform, f"{a_name()}/proposals/1/activate"), 404) == "not-found"
    assert code_of(await post(platform, f"{name}/retire", reason="x"), 409) == "conflict"
    await activate(platform, name, number)
    answer = await post(platform, f"{name}/proposals/{number}/activate")
    assert code_of(answer, 409) == "conflict"
