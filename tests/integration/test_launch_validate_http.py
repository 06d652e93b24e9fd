"""Asking what a run would come to: everything that stands against it at once, nothing recorded."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hansard.formats.ids import new_id
from tests.integration.conftest import Servers
from tests.integration.governing import a_name as a_policy
from tests.integration.governing import a_text as a_policy_text
from tests.integration.governing import governed, in_force
from tests.integration.people import a_person, code_of, done
from tests.integration.pushing import Pushed, a_bundle, kept_files, problem_of


@pytest.fixture
async def pushed(servers: Servers, tmp_path: Path) -> AsyncIterator[Pushed]:
    async with governed(servers, tmp_path) as platform:
        found = Pushed(platform)
        await found.everything()
        yield found


async def validated(pushed: Pushed, **changed: Any) -> dict[str, Any]:
    """The verdict; asking for it recorded nothing and kept no file."""
    before = (kept_files(pushed.platform), await pushed.platform.services.log.last())
    body = pushed.body(**changed)
    verdict = done(await pushed.http.post("/v1/launch/validate", json=body))
    assert (kept_files(pushed.platform), await pushed.platform.services.log.last()) == before
    return verdict


def errors_of(verdict: dict[str, Any]) -> set[tuple[str, str]]:
    return {(each["field"], each["code"]) for each in verdict["errors"]}


async def test_what_could_run_is_told_with_exact_versions_and_all_parameters(
    pushed: Pushed,
) -> None:
    verdict = await validated(pushed, parameters={"rate": 0.5}, seed=7)
    assert (verdict["valid"], verdict["errors"]) == (True, [])
    assert verdict["executor"] == {
        "version": pushed.ids["job version"],
        "number": 1,
        "of": pushed.ids["job"],
        "kind": "executor",
    }
    assert verdict["parameters"] == {"epochs": 3, "rate": 0.5}
    slot = verdict["slots"]["model"]
    assert (slot["version"], slot["keep"]) == (pushed.ids["net version"], "version")
    assert slot["parameters"] == {"width": 8, "mode": "a"}
    assert (verdict["resources"]["cpus"], verdict["seeds"]) == (1, [7])
    assert verdict["queue"] is None  # no dispatcher leads here
    run = done(await pushed.run(parameters={"rate": 0.5}, seed=7))
    assert run["runs"] == [run["id"]]


async def test_everything_that_is_wrong_is_told_at_once_and_in_the_refusal_too(
    pushed: Pushed,
) -> None:
    source = b"class Net:\n    def predict(self, inputs): ...\n"
    await pushed.push("bare", "models", a_bundle(source=source))
    wrong: dict[str, Any] = {
        "parameters": {"epochs": "many", "rate": "fast", "unknown": 1},
        "slots": {
            "model": {"version": pushed.ids["bare"], "parameters": {"depth": 2}, "keep": True},
            "other": {"version": new_id("model")},
        },
        "datasets": {"a b": new_id("version"), "train": pushed.ids["net version"]},
        "resources": {"cpus": 0},
        "tags": {"a b": "c"},
        "name": "a/b",
        "id": "run-1",
    }
    verdict = await validated(pushed, **wrong)
    assert verdict["valid"] is False
    expected = {
        ("parameters.epochs", "invalid"),
        ("parameters.rate", "invalid"),
        ("parameters", "invalid"),
        ("slots.model", "misfit"),
        ("slots.model", "invalid"),
        ("slots.model.parameters", "invalid"),
        ("slots.other", "not-found"),
        ("slots.other", "invalid"),
        ("datasets.a b", "not-found"),
        ("datasets.train", "invalid"),
        ("resources.cpus", "invalid"),
        ("name", "invalid"),
        ("tags", "invalid"),
        ("id", "invalid"),
    }
    assert expected <= errors_of(verdict), expected - errors_of(verdict)
    body = problem_of(await pushed.run(**wrong), 422, "invalid")
    assert body["field"] == verdict["errors"][0]["field"]
    assert body["errors"] == verdict["errors"]


async def test_parts_of_another_project_or_none_are_not_found(pushed: Pushed) -> None:
    verdict = await validated(pushed, experiment=new_id("experiment"), executor=new_id("executor"))
    assert errors_of(verdict) == {("experiment", "not-found"), ("executor", "not-found")}
    assert verdict["executor"] is None


async def test_an_experiment_that_is_still_to_be_made_stands_against_nothing(
    pushed: Pushed,
) -> None:
    body = {k: v for k, v in pushed.body().items() if k != "experiment"}
    assert done(await pushed.http.post("/v1/launch/validate", json=body))["valid"] is True
    answer = await pushed.http.post("/v1/runs", json=body)
    problem_of(answer, 422, "invalid")


async def test_rights_are_looked_at_and_no_denial_is_recorded(pushed: Pushed) -> None:
    eve = await a_person(pushed.platform)
    name = a_policy()
    rule = f"r.sub.id == '{eve.id}' and r.obj.cpus > 1"
    text = a_policy_text(name, rule, entity="allocation", actions="allocate")
    await in_force(pushed.platform, f"{text}obligations: [record]\n")
    for path, body in (
        (f"/v1/experiments/{pushed.ids['experiment']}", {"visibility": "public"}),
        (f"/v1/executors/{pushed.ids['job']}", {"visibility": "public"}),
        (f"/v1/models/{pushed.ids['net']}", {"visibility": "public"}),
    ):
        done(await pushed.http.put(f"{path}/sharing", json=body))
    before = await pushed.platform.services.log.last()
    asked = pushed.body(resources={"cpus": 2})
    answer: httpx.Response = await eve.call("POST", "/launch/validate", asked)
    verdict = done(answer)
    assert {
        ("slots.model.keep", "forbidden"),
        ("experiment", "forbidden"),
        ("resources", "forbidden"),
    } == errors_of(verdict)
    assert await pushed.platform.services.log.last() == before
    assert code_of(await eve.call("POST", "/runs", asked), 403) == "forbidden"


async def test_seeds_are_checked_and_told(pushed: Pushed) -> None:
    assert (await validated(pushed, seeds=[5, 6]))["seeds"] == [5, 6]
    assert len((await validated(pushed, seeds=3))["seeds"]) == 3
    answer = await pushed.http.post("/v1/launch/validate", json=pushed.body(seeds=[5, 5]))
    problem_of(answer, 422, "invalid")


async def test_requirements_that_do_not_go_together_are_told(pushed: Pushed) -> None:
    older = a_bundle(
        "model", "m:Net", b"class Net:\n  def train(self, *a, **b): ...\n", "idna==3.6"
    )
    job = b"class Job:\n    model: Slot[Model]\n    def execute(self): ...\n"
    newer = a_bundle("executor", "m:Job", job, "idna==3.7")
    for kind, path, bundle in (("old", "models", older), ("new", "executors", newer)):
        answer = await pushed.push(kind, path, bundle)
        assert answer.status_code == 201, answer.text
    slots = {"model": {"version": pushed.ids["old"]}}
    verdict = await validated(pushed, executor=pushed.ids["new"], slots=slots)
    assert errors_of(verdict) == {("requirements", "requirements")}
