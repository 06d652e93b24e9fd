"""One request, run with several seeds: all or none, the same when repeated, summed up as seen."""

import statistics
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.aggregate import Context
from domain.run import Run
from hansard.formats.ids import new_id
from infra.event_store import Session
from tests.integration.conftest import Servers
from tests.integration.governing import a_name as a_policy
from tests.integration.governing import a_text as a_policy_text
from tests.integration.governing import governed, in_force, latest
from tests.integration.people import a_person, code_of, done
from tests.integration.platform import Platform
from tests.integration.pushing import Pushed, problem_of, unchanged_after
from tests.integration.test_run_requests_http import an_attempt


@pytest.fixture
async def pushed(servers: Servers, tmp_path: Path) -> AsyncIterator[Pushed]:
    async with governed(servers, tmp_path) as platform:
        found = Pushed(platform)
        await found.everything()
        yield found


async def group_of(pushed: Pushed, id_: str, **query: Any) -> dict[str, Any]:
    query |= await latest(pushed.platform)
    return done(await pushed.http.get(f"/v1/run-groups/{id_}", params=query))


async def end(platform: Platform, run_id: str, results: dict[str, Any]) -> None:
    """Let a run succeed, as the dispatcher would."""
    await an_attempt(platform, run_id)

    async def succeed(session: Session) -> None:
        run = await session.load(Run, run_id)
        run.succeed(1, points=0, root=None, results=results, logged={}, outputs=[])
        await session.save(run)

    context = Context("dispatcher", datetime.now(UTC), "test")
    await platform.services.store.run(context, succeed)


async def test_a_run_is_made_for_each_seed_and_they_know_their_group(pushed: Pushed) -> None:
    answer = await pushed.run(seeds=[3, 1, 2], name="fit")
    assert answer.status_code == 202, answer.text
    asked = answer.json()
    assert (asked["id"].partition("-")[0], len(asked["runs"])) == ("rungroup", 3)
    found = await group_of(pushed, asked["id"])
    runs = {run["id"]: run for run in found["runs"]}
    assert [runs[id_]["seed"] for id_ in asked["runs"]] == [3, 1, 2]
    assert {run["name"] for run in found["runs"]} == {"fit seed 1", "fit seed 2", "fit seed 3"}
    assert found["statuses"] == {"requested": 3}
    listed = await pushed.http.get("/v1/runs", params={"run_group": asked["id"]})
    assert {run["id"] for run in done(listed)["items"]} == set(runs)
    filtered = {"filter": f"run_group == '{asked['id']}' and seed > 1"}
    assert len(done(await pushed.http.get("/v1/runs", params=filtered))["items"]) == 2


async def test_what_the_runs_return_is_summed_up(pushed: Pushed) -> None:
    asked = done(await pushed.run(seeds=[1, 2, 3]))
    values = [0.5, 0.75, 0.7]
    for run, value in zip(asked["runs"], values, strict=True):
        odd = {"note": "words", "flag": True, "none": None}
        await end(pushed.platform, run, {"accuracy": value, **odd})
    found = await group_of(pushed, asked["id"], best="accuracy")
    assert found["statuses"] == {"succeeded": 3}
    [spread] = found["results"]
    assert (spread["key"], spread["n"]) == ("accuracy", 3)
    assert spread["mean"] == pytest.approx(statistics.fmean(values))
    assert spread["std"] == pytest.approx(statistics.stdev(values))
    assert (spread["min"], spread["max"]) == (0.5, 0.75)
    assert (spread["min_run"], spread["max_run"]) == (asked["runs"][0], asked["runs"][1])
    assert found["best"] == {"run": asked["runs"][1], "value": 0.75}
    lowest = await group_of(pushed, asked["id"], best="accuracy", mode="min")
    assert lowest["best"] == {"run": asked["runs"][0], "value": 0.5}
    assert (await group_of(pushed, asked["id"], best="nothing"))["best"] is None


async def test_seeds_are_drawn_alike_for_the_same_request(pushed: Pushed) -> None:
    key = {"Idempotency-Key": new_id("key")}
    body = pushed.body(seeds=4)
    first = await pushed.http.post("/v1/runs", json=body, headers=key)
    again = await pushed.http.post("/v1/runs", json=body, headers=key)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["repeated"] is True
    assert {k: again.json()[k] for k in ("id", "runs", "position")} == {
        k: first.json()[k] for k in ("id", "runs", "position")
    }
    found = await group_of(pushed, first.json()["id"])
    assert len({run["seed"] for run in found["runs"]}) == 4
    other = await pushed.http.post("/v1/runs", json=pushed.body(seeds=5), headers=key)
    problem_of(other, 409, "id-taken")


async def test_a_group_is_asked_for_whole_or_not_at_all(pushed: Pushed) -> None:
    id_ = new_id("rungroup")
    done(await pushed.run(id=id_, seeds=[2, 1]))
    ask = lambda: pushed.run(id=id_, seeds=[7, 1])  # noqa: E731 - the run of seed 1 is there
    await unchanged_after(pushed.platform, ask, 409, "busy")
    found = await group_of(pushed, id_)
    assert sorted(run["seed"] for run in found["runs"]) == [1, 2]


async def test_seeds_that_make_no_sense_are_refused(pushed: Pushed) -> None:
    wrong: list[dict[str, Any]] = [
        {"seeds": []},
        {"seeds": 0},
        {"seeds": 101},
        {"seeds": list(range(101))},
        {"seeds": [1, 1]},
        {"seeds": [-1]},
        {"seeds": [2**32]},
        {"seeds": "5"},
        {"seeds": True},
        {"seeds": [1], "seed": 2},
        {"seeds": [1], "id": new_id("run")},
        {"seeds": None, "id": new_id("rungroup")},
    ]
    for changed in wrong:
        ask = lambda changed=changed: pushed.run(**changed)  # noqa: E731
        await unchanged_after(pushed.platform, ask, 422, "invalid")


async def test_a_group_shows_what_the_caller_sees_of_it_without_what_is_masked(
    pushed: Pushed,
) -> None:
    platform = pushed.platform
    asked = done(await pushed.run(seeds=[1, 2]))
    for run, value in zip(asked["runs"], (0.5, 0.75), strict=True):
        await end(platform, run, {"accuracy": value})
    path = f"/run-groups/{asked['id']}"
    eve = await a_person(platform)
    assert code_of(await eve.call("GET", path), 404) == "not-found"
    sharing = {"visibility": "public"}
    address = f"/v1/experiments/{pushed.ids['experiment']}/sharing"
    done(await pushed.http.put(address, json=sharing))
    seen = done(await eve.call("GET", path, params=await latest(platform)))
    assert (len(seen["runs"]), seen["results"][0]["n"]) == (2, 2)
    first = asked["runs"][0]
    text = a_policy_text(a_policy(), f"r.obj.id == '{first}'", entity="run")
    await in_force(platform, text)
    seen = done(await eve.call("GET", path, params=await latest(platform)))
    assert [run["id"] for run in seen["runs"]] == asked["runs"][1:]
    assert (seen["results"][0]["n"], seen["results"][0]["max"]) == (1, 0.75)
    masking = a_policy()
    await in_force(
        platform,
        f"policy: {masking}\nentity: run\nactions: read\n"
        "root:\n  combine: deny-overrides\n  rules:\n"
        '    - {id: never, effect: permit, when: "False"}\n'
        'mask: [{fields: [results], when: "r.obj.owner == r.sub.id"}]\n',
    )
    seen = done(await eve.call("GET", path, params=await latest(platform)))
    assert (len(seen["runs"]), seen["results"]) == (1, [])
    owners = await group_of(pushed, asked["id"])  # the denial is for everybody, the mask is not
    assert (len(owners["runs"]), owners["results"][0]["n"]) == (1, 1)


async def test_each_run_of_a_group_gets_a_new_model_of_its_own(pushed: Pushed) -> None:
    slots = {"model": {"version": pushed.ids["net"], "keep": "model", "name": "fitted"}}
    asked = done(await pushed.run(seeds=[4, 5], slots=slots))
    found = await latest(pushed.platform)
    names = set()
    for run in asked["runs"]:
        row = done(await pushed.http.get(f"/v1/runs/{run}", params=found))
        names.add(row["slots"]["model"]["name"])
    assert names == {"fitted seed 4", "fitted seed 5"}


async def test_a_group_that_is_not_there_is_not_found(pushed: Pushed) -> None:
    for id_ in (new_id("rungroup"), new_id("run"), "x", "%00"):
        answer = await pushed.http.get(f"/v1/run-groups/{id_}")
        assert answer.status_code in (404, 422), answer.text
