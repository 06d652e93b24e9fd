"""Active policies that cannot be read any more: next to nothing is permitted, and it is mended."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.aggregate import Context
from domain.policy import Policy
from tests.integration.conftest import Servers
from tests.integration.governing import a_name, a_text, an_experiment, governed, in_force, post
from tests.integration.people import a_person, code_of, done
from tests.integration.platform import Platform

BROKEN = "r.obj.ownr == r.sub.id"


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


async def break_policies(platform: Platform, *texts: str) -> list[str]:
    """Put texts in force without a check, as an older release may have."""
    policies = []
    for text in texts:
        policy = Policy.create(a_name())
        policy.propose(text.replace("NAME", policy.name), "0" * 64, "", "system")
        policy.activate(1)
        policies.append(policy)
    context = Context("system", datetime.now(UTC), "test")
    await platform.services.store.run(context, lambda session: session.save(*policies))
    return [policy.name for policy in policies]


async def readiness(platform: Platform) -> tuple[int, bool]:
    answer = await platform.http.get("/readyz")
    return answer.status_code, answer.json()["policies"]


async def test_a_broken_policy_denies_everything_but_mending_it(platform: Platform) -> None:
    entity, eve = await an_experiment(platform, visibility="public"), await a_person(platform)
    assert await readiness(platform) == (200, True)
    [name] = await break_policies(platform, a_text("NAME", BROKEN))
    assert await readiness(platform) == (503, False)
    listed = done(await platform.http.get("/v1/runs"))["items"]
    one = await platform.http.get(f"/v1/experiments/{entity}")
    created = await platform.http.post("/v1/groups", json={"name": a_name()})
    retired = await eve.call("POST", f"/policies/{name}/retire", {"reason": "x"})
    seen = done(await platform.http.get(f"/v1/policies/{name}/history"))["items"]
    mended = await post(platform, f"{name}/retire", reason="it cannot be read")
    assert listed == []
    assert code_of(one, 404) == "not-found"
    assert code_of(created, 403) == "forbidden"
    assert retired.status_code in (403, 404)
    assert [item["what"] for item in seen] == ["created", "proposed", "activated"]
    assert done(mended)["unreadable"] == []
    assert await readiness(platform) == (200, True)
    assert (await platform.http.get(f"/v1/experiments/{entity}")).status_code == 200
    assert (await eve.call("GET", f"/experiments/{entity}")).status_code == 200


async def test_broken_policies_are_mended_one_by_one(platform: Platform) -> None:
    entity = await an_experiment(platform)
    declared = f"a_{a_name().replace('-', '_')}"
    names = await break_policies(
        platform,
        a_text("NAME", BROKEN),
        a_text("NAME", "False", subject=f"{{{declared}: str}}"),
        a_text("NAME", "False", subject=f"{{{declared}: int}}"),
        "no policy: [",
    )
    text = a_text(names[0], "False")
    proposed = done(await post(platform, f"{names[0]}/proposals", text=text))
    assert (len(proposed["unreadable"]), proposed["number"]) == (3, 2)
    replaced = done(await post(platform, f"{names[0]}/proposals/2/activate"))
    unfit = ({names[1]}, {names[2]})
    assert set(replaced["unreadable"]) - {names[3]} in unfit
    other = await in_force(platform, a_text(a_name(), "False"))
    first = done(await post(platform, f"{names[1]}/retire", reason="x"))
    assert first["unreadable"] == [names[3]]
    assert code_of(await platform.http.get(f"/v1/experiments/{entity}"), 404) == "not-found"
    last = done(await post(platform, f"{names[3]}/retire", reason="x"))
    assert last["unreadable"] == []
    assert (await platform.http.get(f"/v1/experiments/{entity}")).status_code == 200
    active = [document.policy for document in (await platform.services.policies.newest()).documents]
    assert {names[0], names[2], other} <= set(active)
