"""What a run trains becomes a version or a model of who asked for it, while that is permitted."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.artifacts import an_artifact
from tests.integration.conftest import Servers
from tests.integration.people import Person, a_person, a_project, code_of, done
from tests.integration.run_box import Runner, runner

MODEL = """
class Net(hansard.Model):
    def save(self, folder):
        (folder / "w.json").write_text("[SALT]")
"""
JOB = """
class Job(hansard.Executor):
    model: hansard.Slot[hansard.Model]
    other: hansard.Slot[hansard.Model] | None
    def execute(self):
        return {}
"""


@pytest.fixture
async def box(servers: Servers, tmp_path: Path) -> AsyncIterator[Runner]:
    """Everything is asked for by a contributor of a project."""
    async with runner(servers, tmp_path) as made:
        ann = await a_person(made.platform)
        project = await a_project(made.platform)
        await let(made, ann, project, "contributor")
        yield Runner(made.platform, ann, project)


async def let(box: Runner, person: Person, project: str, role: str | None) -> None:
    path = f"/v1/users/{person.id}/roles/{project}"
    if role is None:
        done(await box.platform.http.delete(path))
    else:
        done(await box.platform.http.put(path, json={"role": role}))


def a_name() -> str:
    return f"net {uuid4().hex[:12]}"


async def parts(box: Runner, **kept: Any) -> dict[str, Any]:
    """No other test has this content: tests share the index of the store, but not its files."""
    net = await box.version("models", MODEL.replace("SALT", str(uuid4().int)), "Net")
    job = await box.version("executors", JOB, "Job")
    return {"executor": job["id"], "slots": {"model": {"version": net["id"], **kept}}}


async def left_by(box: Runner, asked: dict[str, Any]) -> dict[str, Any]:
    spec = await box.admitted(**asked)
    assert (await box.executed(spec))["outcome"] == "succeeded"
    row = await box.row(spec.run)
    assert row["status"] == "succeeded"
    [output] = row["outputs"]
    return {**output, "run": row}


async def test_a_new_model_is_of_who_asked_and_knows_where_it_comes_from(box: Runner) -> None:
    name = a_name()
    asked = await parts(box, keep="model", name=name)
    output = await left_by(box, asked)
    assert (output["number"], output["refused"]) == (1, None)
    model = done(await box.admin.call("GET", f"/models/{output['model']}"))
    assert (model["name"], model["project"], model["created_by"]) == (
        *(name, box.project, box.admin.id),
    )
    assert (model["latest"], model["visibility"]) == (output["version"], "private")
    version = done(await box.admin.call("GET", f"/versions/{output['version']}"))
    assert version["created_by"] == box.admin.id
    assert version["origin"] == {
        "run": output["run"]["id"],
        "slot": "model",
        "version": asked["slots"]["model"]["version"],
        "executor": asked["executor"],
        "by": box.admin.id,
    }
    body = {"name": name.upper(), "project": box.project}
    assert code_of(await box.admin.call("POST", "/models", body), 409) == "name-taken"
    renamed = await box.admin.call("PATCH", f"/models/{model['id']}", {"name": a_name()})
    done(renamed)
    done(await box.admin.call("POST", "/models", body))


async def test_its_birth_is_the_doing_of_who_asked_caused_by_the_dispatcher(box: Runner) -> None:
    output = await left_by(box, await parts(box, keep="model", name=a_name()))
    path = f"/events?entity={output['model']}"
    events = done(await box.admin.call("GET", path))["items"]
    born = next(each for each in events if each["topic"] == "abstraction.registered.v1")
    assert (born["actor"], born["causation"]) == (box.admin.id, "dispatcher")


@pytest.mark.parametrize("keep", [True, "version"])
async def test_a_version_of_the_same_model_is_kept_as_before(box: Runner, keep: Any) -> None:
    asked = await parts(box, keep=keep)
    output = await left_by(box, asked)
    assert (output["number"], output["refused"]) == (2, None)
    assert output["model"] == await box.holder(asked["slots"]["model"]["version"])
    assert output["run"]["slots"]["model"]["keep"] == "version"


@pytest.mark.parametrize("keep", [False, "none"])
async def test_nothing_is_kept_that_nobody_wants(box: Runner, keep: Any) -> None:
    spec = await box.admitted(**await parts(box, keep=keep))
    assert (await box.executed(spec))["outputs"] == []


async def test_a_name_that_was_taken_meanwhile_loses_nothing(box: Runner) -> None:
    name = a_name()
    spec = await box.admitted(**await parts(box, keep="model", name=name))
    body = {"name": name, "project": box.project}
    done(await box.admin.call("POST", "/models", body))
    await box.executed(spec)
    row = await box.row(spec.run)
    [output] = row["outputs"]
    assert (row["status"], output["version"]) == ("succeeded", None)
    assert output["refused"] == {"code": "name-taken", "detail": "this name is taken"}
    other = done(await box.admin.call("POST", "/models", {**body, "name": a_name()}))
    made = {"artifact": output["artifact"]}
    version = done(await box.admin.call("POST", f"/models/{other['id']}/versions", made))
    path = f"/versions/{version['id']}?min_position={version['position']}"
    content = done(await box.admin.call("GET", path))["content"]
    assert content["artifact"] == output["artifact"]


async def test_a_name_that_only_others_hold_and_hide_is_free(box: Runner) -> None:
    name = a_name()
    eve = await a_person(box.platform)
    await let(box, eve, str(box.project), "contributor")
    done(await eve.call("POST", "/models", {"name": name, "project": box.project}))
    output = await left_by(box, await parts(box, keep="model", name=name))
    assert (output["number"], output["refused"]) == (1, None)


async def test_who_may_not_any_more_gets_no_model_and_the_bytes_stay(box: Runner) -> None:
    spec = await box.admitted(**await parts(box, keep="model", name=a_name()))
    await let(box, box.admin, str(box.project), None)
    await box.executed(spec)
    row = await Runner(box.platform, Person(box.platform, "", box.platform.token)).row(spec.run)
    [output] = row["outputs"]
    assert (row["status"], output["model"], output["refused"]["code"]) == (
        *("succeeded", None, "forbidden"),
    )
    assert "may not create this model" in output["refused"]["detail"]
    kept = await box.platform.http.get(f"/v1/artifacts/{output['artifact']}/files/w.json")
    assert kept.content.startswith(b"[")


async def test_nothing_is_published_for_somebody_who_is_disabled(box: Runner) -> None:
    for kept in ({"keep": "version"}, {"keep": "model", "name": a_name()}):
        spec = await box.admitted(**await parts(box, **kept))
        await box.platform.http.post(f"/v1/users/{box.admin.id}/disable")
        artifact = {"slot": "model", "artifact": await of_the_run(box, spec)}
        ended = {"state": "ended", "outcome": "succeeded", "results": {}, "metric_points": 0}
        await box.told(spec, {**ended, "outputs": [artifact]})
        await box.platform.http.post(f"/v1/users/{box.admin.id}/enable")
        [output] = (await box.row(spec.run))["outputs"]
        assert "no active user" in output["refused"]["detail"]


async def test_requests_that_cannot_be_kept_are_refused_at_once(box: Runner) -> None:
    name = a_name()
    done(await box.admin.call("POST", "/models", {"name": name, "project": box.project}))
    experiment = await box.abstraction("experiments")
    for kept, status, code in (
        ({"keep": "model"}, 422, "invalid"),
        ({"keep": "version", "name": "net"}, 422, "invalid"),
        ({"name": "net"}, 422, "invalid"),
        ({"keep": "model", "name": "a/b"}, 422, "invalid"),
        ({"keep": "model", "name": name}, 409, "name-taken"),
    ):
        asked = {"experiment": experiment, **await parts(box, **kept)}
        answer = await box.admin.call("POST", "/runs", asked)
        assert code_of(answer, status) == code, kept
        assert answer.json()["field"] == "slots.model.name"
    asked = {"experiment": experiment, **await parts(box, keep="model", name="twice")}
    asked["slots"]["other"] = {**asked["slots"]["model"], "name": "Twice"}
    answer = await box.admin.call("POST", "/runs", asked)
    assert code_of(answer, 422) == "invalid"
    assert answer.json()["field"] == "slots.other.name"
    wrong = {"experiment": experiment, **await parts(box, keep="all")}
    assert code_of(await box.admin.call("POST", "/runs", wrong), 422) == "invalid"


async def of_the_run(box: Runner, spec: Any) -> str:
    """An artifact that an attempt left."""
    return await an_artifact(Person(box.platform, spec.run, spec.token), None)
