"""What keeps policies out of force: failing tests, lock-outs, losses, approvals, each other."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

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
from tests.integration.people import Person, a_person, code_of, done
from tests.integration.platform import Platform


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


async def test_failing_tests_keep_a_policy_out_of_force(platform: Platform) -> None:
    name = a_name()
    number = await propose(
        platform,
        name,
        a_text(
            name,
            "False",
            tests="[{name: mine, sub: {id: user-eve}, obj: {owner: user-bob}, expect: permit}]",
        ),
    )
    answer = await post(platform, f"{name}/proposals/{number}/activate")
    assert code_of(answer, 409) == "policy-tests-failed"
    assert [(f["policy"], f["case"]) for f in answer.json()["failures"]] == [(name, "mine")]
    other = a_name()
    text = a_text(other, "r.obj.visibility == 'public'", entity="model")
    answer = await post(platform, f"{other}/proposals", text=text)
    tested = done(await post(platform, "test", text=text))
    assert not tested["passed"]
    answer = await post(platform, f"{other}/proposals/1/activate", confirm_loss=10**6)
    assert code_of(answer, 409) == "policy-tests-failed"
    assert answer.json()["failures"] == tested["failures"]
    assert ("reading", "everybody") in [(f["policy"], f["case"]) for f in tested["failures"]]
    good = a_text(name, "False", tests="[{sub: {admin: true}, expect: permit}]")
    assert done(await post(platform, "test", text=good)) == {"passed": True, "failures": []}


async def test_nobody_can_lock_everybody_out(platform: Platform) -> None:
    name = a_name()
    text = a_text(name, "True", entity="user", actions="update")
    number = await propose(platform, name, text)
    answer = await post(platform, f"{name}/proposals/{number}/activate", confirm_loss=10**6)
    assert code_of(answer, 409) == "lock-out"
    answer = await post(platform, "administrators/retire", reason="x", confirm_loss=10**6)
    assert code_of(answer, 409) == "lock-out"


async def test_no_policy_takes_the_policies_from_administrators(platform: Platform) -> None:
    eve = await a_person(platform)
    name = await in_force(
        platform, a_text(a_name(), "True", entity="policy", actions="[propose, activate, retire]")
    )
    other = await in_force(platform, a_text(a_name(), "False"))
    for gone in (name, other):
        answer = await post(platform, f"{gone}/retire", reason="x")
        assert answer.status_code == 200, answer.text
    answer = await eve.call("POST", f"/policies/{name}/retire", {"reason": "x"})
    assert code_of(answer, 403) == "forbidden"


async def test_losses_beyond_the_limit_must_be_confirmed(platform: Platform) -> None:
    experiment = await an_experiment(platform, visibility="public")
    await a_person(platform)
    params = await latest(platform)
    done(await platform.http.get("/v1/users", params=params))
    platform.services.settings.policy_loss_limit = 0
    name = a_name()
    number = await propose(platform, name, a_text(name, f"r.obj.id == '{experiment}'"))
    path = f"{name}/proposals/{number}/activate"
    answer = await post(platform, path)
    assert code_of(answer, 409) == "loss-unconfirmed"
    assert answer.json()["lost"] == 1
    assert answer.json()["samples"][0]["kind"] == "experiment"
    refused = await post(platform, path, confirm_loss=1)
    assert code_of(refused, 409) == "loss-unconfirmed"
    compared = done(await post(platform, f"{name}/proposals/{number}/diff"))
    lost = compared["kinds"]["experiment"]["lost"]
    assert compared["kinds"] == {"experiment": {"gained": 0, "lost": compared["users"]}}
    assert lost > 1
    assert code_of(await post(platform, path, confirm_loss=lost - 1), 409) == "loss-unconfirmed"
    done(await post(platform, path, confirm_loss=lost))
    items = done(await platform.http.get(f"/v1/policies/{name}/history"))["items"]
    assert items[-1]["confirmed_loss"] == lost
    assert (await post(platform, f"{name}/retire", reason="x")).status_code == 200


async def test_a_diff_shows_lines_and_gains(platform: Platform) -> None:
    experiment = await an_experiment(platform)
    await a_person(platform)
    done(await platform.http.get("/v1/experiments", params=await latest(platform)))
    name = await in_force(platform, a_text(a_name(), "False", effect="permit"))
    text = a_text(name, f"r.obj.id == '{experiment}'", effect="permit")
    number = await propose(platform, name, text)
    found = done(await post(platform, f"{name}/proposals/{number}/diff"))
    lines = found["diff"].splitlines()
    assert lines[:2] == ["--- in force", f"+++ proposal {number}"]
    assert [line[0] for line in lines if "when" in line] == ["-", "+"]
    assert found["kinds"]["experiment"]["gained"] > 0
    assert found["kinds"]["experiment"]["lost"] == 0


async def test_four_eyes_are_asked_for_where_that_is_set(platform: Platform) -> None:
    platform.services.settings.policy_four_eyes = True
    name = a_name()
    number = await propose(platform, name, a_text(name, "False"))
    path = f"{name}/proposals/{number}/activate"
    assert code_of(await post(platform, path), 409) == "unapproved"
    bob = await a_person(platform, attributes={"admin": True})
    approval = f"/policies/{name}/proposals/{number}/approve"
    refused = await bob.call("POST", approval)  # its issuer knows this token
    assert code_of(refused, 403) == "forbidden"
    assert code_of(await post(platform, path), 409) == "unapproved"
    issued = await bob.call("POST", f"/users/{bob.id}/tokens", {})
    own = Person(platform, bob.id, done(issued)["token"])
    done(await own.call("POST", approval))
    assert (await post(platform, path)).status_code == 200
    assert code_of(await post(platform, f"{name}/retire", reason="x"), 409) == "unapproved"


async def test_two_eyes_may_use_any_token(platform: Platform) -> None:
    name, bob = a_name(), await a_person(platform, attributes={"admin": True})
    number = await propose(platform, name, a_text(name, "False"))
    done(await bob.call("POST", f"/policies/{name}/proposals/{number}/approve"))


async def test_two_activations_of_one_policy_leave_the_one_that_came_last(
    platform: Platform,
) -> None:
    name = a_name()
    for rule in ("False", "not r.sub.active"):
        await propose(platform, name, a_text(name, rule))
    answers = await asyncio.gather(
        *(post(platform, f"{name}/proposals/{number}/activate") for number in (1, 2))
    )
    assert [answer.status_code for answer in answers] == [200, 200]
    items = done(await platform.http.get(f"/v1/policies/{name}/history"))["items"]
    last = [item["number"] for item in items if item["what"] == "activated"][-1]
    row = done(await platform.http.get(f"/v1/policies/{name}", params=await latest(platform)))
    assert row["active"] == last


async def test_policies_that_do_not_fit_each_other_cannot_both_come_into_force(
    platform: Platform,
) -> None:
    names = [a_name(), a_name()]
    attribute = "a_" + names[0].replace("-", "_")
    for name, type_ in zip(names, ("str", "int"), strict=True):
        await propose(platform, name, a_text(name, "False", subject=f"{{{attribute}: {type_}}}"))
    answers = await asyncio.gather(
        *(post(platform, f"{name}/proposals/1/activate") for name in names)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 422]
    assert (await platform.http.get("/v1/policies")).status_code == 200
