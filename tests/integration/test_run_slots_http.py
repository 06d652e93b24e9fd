"""Run requests for executors with slots of many, and with executors in their slots."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Servers
from tests.integration.platform import running
from tests.integration.pushing import JOB, Pushed, a_bundle, unchanged_after


@pytest.fixture
async def pushed(servers: Servers, tmp_path: Path) -> AsyncIterator[Pushed]:
    async with running(servers, tmp_path) as platform:
        found = Pushed(platform)
        await found.everything()
        yield found


TOURNAMENT = b"""
from hansard import All, Job, Predictor, Slot, Slots, Trainable

class Tournament:
    models: Slots[All[Trainable, Predictor]]
    job: Slot[Job] | None
    def execute(self, rounds: int = 1): ...
"""


async def a_tournament(pushed: Pushed) -> str:
    bundle = a_bundle("executor", "m:Tournament", TOURNAMENT)
    response = await pushed.push("tournament", "executors", bundle)
    assert response.status_code == 201, response.text
    return pushed.ids["tournament"]


async def test_slots_of_many_and_of_executors_in_slots_are_recorded_by_place(
    pushed: Pushed,
) -> None:
    net, job, executor = pushed.ids["net"], pushed.ids["job"], await a_tournament(pushed)
    slots: dict[str, Any] = {
        "models": [{"version": net}, {"version": net, "parameters": {"width": 3}, "keep": True}],
        "job": {"version": job, "parameters": {"epochs": 7}},
        "job.model": {"version": net},
    }
    response = await pushed.run(executor=executor, slots=slots)
    assert response.status_code == 202, response.text
    params = {"min_position": response.json()["position"]}
    run = (await pushed.http.get(f"/v1/runs/{response.json()['id']}", params=params)).json()
    assert run["slots"].keys() == {"models.0", "models.1", "job", "job.model"}
    assert run["slots"]["models.1"]["parameters"] == {"width": 3, "mode": "a"}
    assert [place for place, part in run["slots"].items() if part["keep"] == "version"] == [
        "models.1"
    ]
    assert run["slots"]["job"]["parameters"] == {"epochs": 7, "rate": 0.1}
    again = await pushed.run(executor=executor, slots=run["slots"])
    assert again.status_code == 202, again.text
    alone = await pushed.run(executor=executor, slots={"models": {"version": net}})
    params = {"min_position": alone.json()["position"]}
    run = (await pushed.http.get(f"/v1/runs/{alone.json()['id']}", params=params)).json()
    assert run["slots"].keys() == {"models.0"}


async def test_parts_that_do_not_go_into_slots_of_many_are_refused(pushed: Pushed) -> None:
    net, executor = {"version": pushed.ids["net"]}, await a_tournament(pushed)
    source = b"class Net:\n    def train(self, data, **more): ...\n"
    await pushed.push("bare", "models", a_bundle(source=source))
    demanding = JOB.replace(b"epochs: int = 3", b"epochs: int")
    await pushed.push("demanding", "executors", a_bundle("executor", "m:Job", demanding))
    needs = {"job.model": net, "job": {"version": pushed.ids["demanding"]}}
    given = {**needs, "job": {**needs["job"], "parameters": {"epochs": 2}}}
    assert (await pushed.run(executor=executor, slots=given)).status_code == 202
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"models": [net, {"version": pushed.ids["bare"]}]}, "misfit", "slots.models.1"),
        ({"models": [net], "models.0": net}, "invalid", "slots.models.0"),
        ({"models": [net], "models.2": net}, "invalid", "slots.models.2"),
        ({"models.x": net}, "invalid", "slots.models.x"),
        ({"job": [{"version": pushed.ids["job"]}]}, "invalid", "slots.job.0"),
        ({"job": {"version": pushed.ids["job"]}}, "invalid", "slots.job.model"),
        (needs, "invalid", "slots.job"),
        ({"models": [{**net, "parameters": {"width": "x"}}]}, "invalid", "slots.models.0"),
        ({"models": [net] * 101}, "invalid", ""),
        ({"models": [net] * 99, "other": [net] * 2}, "invalid", "slots"),
    ]
    for slots, code, field in wrong:
        ask = lambda slots=slots: pushed.run(executor=executor, slots=slots)  # noqa: E731
        body = await unchanged_after(pushed.platform, ask, 422, code)
        assert str(body.get("field", "")).startswith(field), (slots, body)


JUDGE = b"""
from hansard import Predictor, Slot
class Judge:
    model: Slot[Predictor]
    def execute(self): ...
"""
DEMANDING = b"""
from hansard import Secret
class Net:
    def predict(self, inputs, threshold: float, top: int = 3, token: Secret = None): ...
"""


async def test_methods_are_given_what_the_role_does_not_give(pushed: Pushed) -> None:
    await pushed.push("judge", "executors", a_bundle("executor", "m:Judge", JUDGE))
    await pushed.push("demanding", "models", a_bundle(source=DEMANDING))
    executor, version = pushed.ids["judge"], pushed.ids["demanding"]

    def given(**methods: Any) -> dict[str, Any]:
        slots = {"model": {"version": version, "methods": methods}}
        return {"executor": executor, "slots": slots}

    answer = await pushed.run(**given(predict={"threshold": 0.5}))
    assert answer.status_code == 202, answer.text
    params = {"min_position": answer.json()["position"]}
    run = (await pushed.http.get(f"/v1/runs/{answer.json()['id']}", params=params)).json()
    assert run["slots"]["model"]["methods"] == {"predict": {"threshold": 0.5}}
    assert (await pushed.run(executor=executor, slots=run["slots"])).status_code == 202
    at = "slots.model.methods.predict"
    for methods, code, field in (
        ({}, "misfit", "slots.model"),
        ({"predict": {"top": 3}}, "misfit", "slots.model"),
        ({"predict": {"threshold": "x"}}, "invalid", f"{at}.threshold"),
        ({"predict": {"threshold": 1, "bottom": 1}}, "invalid", at),
        ({"predict": {"threshold": 1, "inputs": 1}}, "invalid", at),
        ({"predict": {"threshold": 1, "token": "hunter2"}}, "invalid", f"{at}.token"),
        ({"predict": {"threshold": 1}, "save": {"folder": "x"}}, "invalid", "slots.model.methods"),
    ):
        ask = lambda methods=methods: pushed.run(**given(**methods))  # noqa: E731
        body = await unchanged_after(pushed.platform, ask, 422, code)
        assert str(body["field"]).startswith(field), (methods, body)
        assert "hunter2" not in str(body)
