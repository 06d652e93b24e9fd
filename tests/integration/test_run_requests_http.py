"""Run requests through HTTP: resolved, repeated, or refused with the field that is wrong."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from domain.aggregate import Context
from domain.run import Run
from hansard.formats.ids import new_id
from infra.event_store import Session
from infra.nats_connection import connect
from infra.secret_digest import make_bearer, read_bearer, secret_digest
from tests.integration.conftest import Servers
from tests.integration.people import a_person, done
from tests.integration.platform import Platform, running
from tests.integration.pushing import (
    NET,
    Pushed,
    a_bundle,
    problem_of,
    unchanged_after,
    uploaded,
)


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path) as platform:
        yield platform


@pytest.fixture
async def pushed(platform: Platform) -> Pushed:
    found = Pushed(platform)
    await found.everything()
    return found


async def test_a_run_is_recorded_with_its_parts_resolved_and_its_defaults(pushed: Pushed) -> None:
    response = await pushed.run(parameters={"rate": 0.5})
    assert response.status_code == 202, response.text
    params = {"min_position": response.json()["position"]}
    run = (await pushed.http.get(f"/v1/runs/{response.json()['id']}", params=params)).json()
    assert run["executor"] == pushed.ids["job version"]
    assert run["parameters"] == {"epochs": 3, "rate": 0.5}
    slot = run["slots"]["model"]
    assert slot["version"] == pushed.ids["net version"]
    assert slot["parameters"] == {"width": 8, "mode": "a"}


async def test_a_repeated_request_is_the_same_run(pushed: Pushed) -> None:
    id_ = new_id("run")
    first, again = [await pushed.run(id=id_) for _ in range(2)]
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json() == {**first.json(), "repeated": True}
    problem_of(await pushed.run(id=id_, parameters={"epochs": 9}), 409, "id-taken")


def slot(**members: Any) -> dict[str, Any]:
    return {"model": members}


async def test_requests_that_make_no_sense_name_their_field_and_store_nothing(
    pushed: Pushed,
) -> None:
    net, job = pushed.ids["net"], pushed.ids["job"]
    filled = slot(version=net)
    wrong: list[tuple[dict[str, Any], str, str]] = [
        ({"slots": {}}, "invalid", "slots.model"),
        ({"slots": {"other": {"version": net}}}, "invalid", "slots.other"),
        ({"parameters": {"epochs": "many"}}, "invalid", "parameters.epochs"),
        ({"parameters": {"unknown": 1}}, "invalid", "parameters"),
        ({"parameters": {"epochs": 2**70}}, "invalid", "parameters.epochs"),
        ({"slots": slot(version=net, parameters={"width": 1.5})}, "invalid", "slots.model"),
        ({"slots": slot(version=net, parameters={"mode": "\0"})}, "invalid", "slots.model"),
        ({"resources": {"cpus": 0}}, "invalid", "resources.cpus"),
        ({"resources": {"cpus": 2**70}}, "invalid", "resources.cpus"),
        ({"slots": {**filled, "spare": {"version": job, "keep": True}}}, "invalid", "slots.spare"),
        ({"executor": net}, "invalid", ""),
        ({"tags": {"a b": "c"}}, "invalid", "tags"),
        ({"variables": {"LD_PRELOAD": "x"}}, "invalid", "variables.LD_PRELOAD"),
        ({"variables": {"A": "x" * 70_000}}, "invalid", "variables"),
        ({"id": "run-1"}, "invalid", "id"),
        ({"unknown": 1}, "invalid", ""),
        ({"seed": -1}, "invalid", ""),
    ]
    for changed, code, field in wrong:
        ask = lambda changed=changed: pushed.run(**changed)  # noqa: E731
        body = await unchanged_after(pushed.platform, ask, 422, code)
        assert str(body.get("field", "")).startswith(field), (changed, body)


async def test_parts_that_are_not_there_are_not_found(pushed: Pushed) -> None:
    for changed in (
        {"experiment": new_id("experiment")},
        {"executor": new_id("executor")},
        {"executor": new_id("version")},
        {"executor": ""},
        {"experiment": ""},
        {"slots": slot(version=new_id("model"))},
    ):
        ask = lambda changed=changed: pushed.run(**changed)  # noqa: E731
        await unchanged_after(pushed.platform, ask, 404, "not-found")


async def test_a_model_that_cannot_be_trained_does_not_fit_a_slot_that_trains(
    pushed: Pushed,
) -> None:
    source = b"class Net:\n    def predict(self, inputs): ...\n"
    await pushed.push("bare", "models", a_bundle(source=source))
    body = problem_of(await pushed.run(slots=slot(version=pushed.ids["bare"])), 422, "misfit")
    assert "train" in body["detail"]
    assert body["field"] == "slots.model"


async def test_a_role_of_the_users_own_is_checked_like_a_shipped_one(pushed: Pushed) -> None:
    source = b"""
from typing import Protocol
from hansard import Executor, Slot
class Shrinks(Protocol):
    def shrink(self, share: float) -> int: ...
class Job(Executor):
    model: Slot[Shrinks]
    def execute(self): ...
"""
    await pushed.push("job", "executors", a_bundle("executor", "m:Job", source))
    body = problem_of(await pushed.run(), 422, "misfit")
    assert body["reasons"] == ["it has no method `shrink`"]
    for shrink, why in (
        ("share: int", "`share` of `shrink` takes int, and the role gives float"),
        ("share: float, by: str", "`shrink` requires `by`, which the role does not give"),
    ):
        source = f"class Net:\n    def shrink(self, {shrink}) -> int: ...\n".encode()
        await pushed.push("shrinking", "models", a_bundle(source=source))
        asked = pushed.run(slots=slot(version=pushed.ids["shrinking"]))
        assert problem_of(await asked, 422, "misfit")["reasons"] == [why]
    source = b"class Net:\n    def shrink(self, share: float) -> int: ...\n"
    await pushed.push("shrinking", "models", a_bundle(source=source))
    response = await pushed.run(slots=slot(version=pushed.ids["shrinking"]))
    assert response.status_code == 202, response.text


async def test_a_model_that_cannot_be_saved_cannot_be_kept(pushed: Pushed) -> None:
    source = b"class Net:\n    def train(self, *data, **more): ...\n"
    await pushed.push("bare", "models", a_bundle(source=source))
    asked = slot(version=pushed.ids["bare"], keep=True)
    assert "save" in problem_of(await pushed.run(slots=asked), 422, "invalid")["detail"]


async def test_a_gpu_where_none_exists_is_refused_at_once_with_a_sentence(
    pushed: Pushed, servers: Servers
) -> None:
    telemetry = await connect(servers.nats["telemetry"], "test")
    told = {"cpus": 2, "gpus": 0, "memory_mb": 4000, "alive": [], "facts": {}}
    await telemetry.publish("node.local", orjson.dumps(told))
    await telemetry.flush()
    await telemetry.close()
    started = time.monotonic()
    ask = lambda: pushed.run(resources={"gpus": 1})  # noqa: E731
    body = await unchanged_after(pushed.platform, ask, 422, "no-such-resources")
    assert time.monotonic() - started < 2
    assert "1 GPU" in body["detail"]
    assert (await pushed.run()).status_code == 202


async def test_requirements_that_cannot_be_met_are_refused_and_no_version_is_made(
    pushed: Pushed,
) -> None:
    bundle = a_bundle("model", "m:Net", NET, "numpy==999.1")
    before = await pushed.platform.services.log.last()
    response = await pushed.push("odd", "models", bundle)
    assert "numpy" in problem_of(response, 422, "requirements")["detail"]
    last = await pushed.platform.services.log.last()
    assert before is not None
    assert last is not None
    made = await pushed.platform.services.log.read_after(before.position, 10)
    assert [message.topic for message in made] == ["abstraction.registered.v1", "name.reserved.v1"]


async def test_code_of_one_kind_is_no_version_of_another(pushed: Pushed) -> None:
    body = uploaded(await pushed.http.post("/v1/bundles", content=a_bundle()))
    wrong_kind = await pushed.http.post(f"/v1/executors/{pushed.ids['job']}/versions", json=body)
    problem_of(wrong_kind, 422, "invalid")
    wrong_path = await pushed.http.post(f"/v1/models/{pushed.ids['job']}/versions", json=body)
    problem_of(wrong_path, 404, "not-found")
    unknown = await pushed.http.post(
        f"/v1/models/{pushed.ids['net']}/versions", json={"bundle": "0" * 64}
    )
    problem_of(unknown, 404, "not-found")


async def test_the_token_of_a_run_opens_its_inputs_and_nothing_else(pushed: Pushed) -> None:
    run_id = (await pushed.run()).json()["id"]
    token = await an_attempt(pushed.platform, run_id)
    mine = {"Authorization": f"Bearer {token}"}
    get = pushed.http.get
    run = (await get(f"/v1/runs/{run_id}", params={"min_position": await last(pushed)})).json()
    net = (await get(f"/v1/versions/{pushed.ids['net version']}")).json()
    for digest in (run["lock"], net["source"]["bundle"]):
        assert (await get(f"/v1/files/{digest}", headers=mine)).status_code == 200
    other = (await pushed.http.post("/v1/bundles", content=a_bundle(source=NET + b"#"))).json()
    problem_of(await get(f"/v1/files/{other['digest']}", headers=mine), 404, "not-found")
    for path in ("/v1/runs", f"/v1/runs/{run_id}", "/v1/users/me", "/v1/events"):
        problem_of(await get(path, headers=mine), 403, "forbidden")
    await pushed.http.post(f"/v1/runs/{run_id}/cancel", json={"reason": "done"})
    await ended(pushed.platform, run_id)
    await asyncio.sleep(2.1)  # what was found is remembered for two seconds
    problem_of(await get(f"/v1/files/{run['lock']}", headers=mine), 401, "unauthenticated")


async def test_a_run_reads_its_inputs_while_who_asked_for_it_may_use_them(pushed: Pushed) -> None:
    asker = await a_person(pushed.platform, attributes={"admin": True})
    run_id = done(await asker.call("POST", "/runs", pushed.body()))["id"]
    token = await an_attempt(pushed.platform, run_id)
    mine = {"Authorization": f"Bearer {token}"}
    net = (await pushed.http.get(f"/v1/versions/{pushed.ids['net version']}")).json()
    path = f"/v1/files/{net['source']['bundle']}"
    assert (await pushed.http.get(path, headers=mine)).status_code == 200
    await pushed.http.put(f"/v1/users/{asker.id}/attributes", json={"attributes": {}})
    problem_of(await pushed.http.get(path, headers=mine), 404, "not-found")
    await pushed.http.put(f"/v1/users/{asker.id}/attributes", json={"attributes": {"admin": True}})
    assert (await pushed.http.get(path, headers=mine)).status_code == 200
    await pushed.http.post(f"/v1/users/{asker.id}/disable")
    problem_of(await pushed.http.get(path, headers=mine), 404, "not-found")


async def last(pushed: Pushed) -> int:
    found = await pushed.platform.services.log.last()
    assert found is not None
    return found.position


async def an_attempt(platform: Platform, run_id: str) -> str:
    """Admit the run, as the dispatcher would; answers the attempt's token."""
    token = make_bearer(run_id)
    bearer = read_bearer(token)
    assert bearer is not None
    digest = secret_digest(bearer.secret)

    async def admit(session: Session) -> None:
        run = await session.load(Run, run_id)
        run.queue()
        run.admit(backend="local", node="local", fence=1, token_digest=digest)
        await session.save(run)

    await platform.services.store.run(Context("test", datetime.now(UTC), "r"), admit)
    return token


async def ended(platform: Platform, run_id: str) -> None:
    async def end(session: Session) -> None:
        run = await session.load(Run, run_id)
        run.end_cancelled(1, points=0, root=None)
        await session.save(run)

    await platform.services.store.run(Context("test", datetime.now(UTC), "r"), end)


async def test_an_archived_version_takes_no_run_until_it_is_restored(pushed: Pushed) -> None:
    address = f"/v1/versions/{pushed.ids['job version']}"
    for action, refused in (("archive", True), ("restore", False)):
        assert (await pushed.http.post(f"{address}/{action}")).status_code == 200
        assert (await pushed.http.post(f"{address}/{action}")).status_code == 409
        response = await pushed.run()
        assert response.status_code == (422 if refused else 202), response.text
