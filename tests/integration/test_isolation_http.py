"""Asking for a network and for isolation: decided by policies, recorded with the run."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Servers
from tests.integration.governing import a_name, governed, in_force
from tests.integration.people import a_person, done
from tests.integration.platform import Platform
from tests.integration.pushing import Pushed, problem_of


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


@pytest.fixture
async def pushed(platform: Platform) -> Pushed:
    found = Pushed(platform)
    await found.everything()
    for path, name in (("executors", "job"), ("models", "net"), ("experiments", "experiment")):
        address = f"/v1/{path}/{found.ids[name]}/sharing"
        done(await found.http.put(address, json={"visibility": "project"}))
    return found


async def resources(pushed: Pushed, **asked: Any) -> dict[str, Any]:
    """What is recorded of a request of the first administrator."""
    written = done(await pushed.run(resources=asked))
    params = {"min_position": written["position"]}
    run = done(await pushed.http.get(f"/v1/runs/{written['id']}", params=params))
    found: dict[str, Any] = run["resources"]
    return found


async def test_what_nobody_asks_for_or_demands_is_recorded_too(pushed: Pushed) -> None:
    found = await resources(pushed)
    assert (found["network"], found["sandbox"]) == (False, "none")


async def test_a_network_is_for_administrators_and_who_has_the_attribute(pushed: Pushed) -> None:
    assert (await resources(pushed, network=True))["network"] is True
    person = await a_person(pushed.platform)
    body = pushed.body(slots={"model": {"version": pushed.ids["net"]}}, resources={"network": True})
    refused = problem_of(await person.call("POST", "/runs", body), 403, "forbidden")
    assert (refused["policy"], refused["rule"]) == ("network", "not-granted")
    given = {"attributes": {"network": True}}
    done(await pushed.http.put(f"/v1/users/{person.id}/attributes", json=given))
    done(await person.call("POST", "/runs", body))


async def test_the_level_is_the_stronger_of_what_is_asked_and_demanded(pushed: Pushed) -> None:
    assert (await resources(pushed, sandbox="limits"))["sandbox"] == "limits"
    await in_force(
        pushed.platform,
        f"policy: {a_name()}\nentity: allocation\nactions: allocate\n"
        "demand: {sandbox: bubblewrap}\n"
        "root:\n  combine: deny-overrides\n  target: r.obj.gpus == 0\n"
        "  rules: [{id: never, effect: permit, when: 'False'}]\n",
    )
    assert (await resources(pushed, sandbox="limits"))["sandbox"] == "bubblewrap"
    assert (await resources(pushed))["sandbox"] == "bubblewrap"


async def test_a_level_that_does_not_exist_is_refused(pushed: Pushed) -> None:
    answer = await pushed.run(resources={"sandbox": "vault"})
    problem_of(answer, 422, "invalid")
    assert "resources.sandbox" in answer.text
