"""Runs that name secrets: checked when asked for and again at the start, given, and kept quiet."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Servers
from tests.integration.people import Person, a_person, a_project, code_of, done
from tests.integration.pushing import a_name
from tests.integration.run_box import Runner, runner
from workers.granted_secrets import SecretRefused

VALUE = "hunter2-of-a-run"
KEY = "hunter3/of-a-variable"
JOB = """
import base64, json, os, sys
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

class Opens(Protocol):
    def opens(self) -> bool: ...

class Job(hansard.Executor):
    data: hansard.Slot[hansard.All[hansard.DatasetLoader, Opens]]
    def execute(self, token: hansard.Secret, more: list[hansard.Secret] = []):
        folder = Path(os.environ["HANSARD_STEP_DIR"])
        text = token.reveal()
        print(token, repr(token), [token], "plain:", text)
        print(base64.b64encode(text.encode()).decode(), json.dumps({"k": os.environ["KEY"]}))
        print(quote(os.environ["KEY"], safe=""))
        for piece in (text[:5], text[5:]):
            sys.stderr.write(piece)
            sys.stderr.flush()
        hansard.log_params({"token": text})
        told = [text in path.read_text() for path in folder.rglob("*.json") if path.is_file()]
        lines = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline")]
        return {
            "same": [token.reveal() == self.data.token.reveal(), len(more), type(token).__name__],
            "files": told, "argv": any(text.encode() in line for line in lines),
            "environ": text in str(os.environ), "stdin": sys.stdin.read(), "text": text,
            "opens": self.data.opens(),
        }
"""
LOADER = """
class Hub(hansard.DatasetLoader):
    def __init__(self, token: hansard.Secret | None = None):
        self.token = token
    def opens(self, key: hansard.Secret | None = None) -> bool:
        return key is not None and key == self.token
"""


@pytest.fixture
async def box(servers: Servers, tmp_path: Path) -> AsyncIterator[Runner]:
    async with runner(servers, tmp_path) as made:
        yield made


async def parts(box: Runner) -> dict[str, Any]:
    job = await box.version("executors", JOB, "Job")
    hub = await box.version("dataset-loaders", LOADER, "Hub")
    return {"executor": job["id"], "slots": {"data": {"version": hub["id"]}}}


async def a_secret(owner: Person, value: str, **more: Any) -> tuple[str, str]:
    body = {"name": a_name(), "value": value, **more}
    return str(done(await owner.call("POST", "/secrets", body))["id"]), body["name"]


def left_in(work: Path) -> bytes:
    """All files but two that the step itself has written the value into."""
    files = [path for path in work.rglob("*") if path.is_file()]
    own = ("result.json", "notes.jsonl")
    return b"".join(path.read_bytes() for path in files if path.name not in own)


def given(asked: dict[str, Any], token: str, key: str) -> dict[str, Any]:
    named = {"secret": token}
    slot = {"parameters": {"token": named}, "methods": {"opens": {"key": named}}}
    return {
        **asked,
        "parameters": {"token": {"secret": token}, "more": [{"secret": token}]},
        "slots": {"data": {**asked["slots"]["data"], **slot}},
        "variables": {"KEY": {"secret": key}, "MODE": "small"},
    }


async def test_a_step_gets_its_secrets_and_nothing_it_leaves_shows_them(box: Runner) -> None:
    (_, token), (_, key) = await a_secret(box.admin, VALUE), await a_secret(box.admin, KEY)
    spec = await box.admitted(**given(await parts(box), token, key))
    assert not [value for value in (VALUE, KEY) if value in repr(spec)]
    end = await box.executed(spec)
    assert end["outcome"] == "succeeded", end
    assert end["results"] == {
        "same": [True, 1, "Secret"],
        "files": [False] * len(end["results"]["files"]),
        "argv": False,
        "environ": False,
        "stdin": "",
        "text": "[redacted:parameters/token]",
        "opens": True,
    }
    assert end["logged"] == {"token": "[redacted:parameters/token]"}
    found = left_in(Path(spec.work))
    assert not [value for value in (VALUE, KEY) if value.encode() in found.replace(b"\\/", b"/")]
    row = await box.row(spec.run)
    assert row["parameters"] == {"token": {"secret": token}, "more": [{"secret": token}]}
    assert row["variables"] == {"KEY": {"secret": key}, "MODE": "small"}
    events = await box.platform.services.log.read(spec.run)
    assert not [m for m in events if b"hunter" in m.payload]


async def test_what_names_no_usable_secret_is_refused_at_its_place_without_an_echo(
    box: Runner,
) -> None:
    eve = await a_person(box.platform)
    hidden, name = await a_secret(box.admin, VALUE)
    _, mine = await a_secret(eve, VALUE)
    hers = Runner(box.platform, eve)
    asked = {**await parts(hers), "experiment": await hers.abstraction("experiments")}
    good = given(asked, mine, mine)
    assert done(await eve.call("POST", "/launch/validate", good))["valid"]
    nothing = (await eve.call("POST", "/runs", given(asked, "nothing", mine))).json()["detail"]
    for other in (name, hidden):
        answer = await eve.call("POST", "/runs", given(asked, other, mine))
        assert code_of(answer, 404) == "not-found"
        detail = answer.json()["detail"].replace(other, "nothing")
        assert detail == nothing
        fields = {error["field"] for error in answer.json()["errors"]}
        of_slot = ("slots.data.parameters.token", "slots.data.methods.opens.key")
        assert fields == {"parameters.token", "parameters.more.0", *of_slot}
    plain = {**good["slots"]["data"], "methods": {"opens": {"key": "hunter2"}}}
    for changed, field in (
        ({"parameters": {"token": "hunter2"}}, "parameters.token"),
        ({"parameters": {"token": {"secret": mine}, "more": ["hunter2"]}}, "parameters.more.0"),
        ({"parameters": {"token": {"secret": mine, "value": "hunter2"}}}, "parameters.token"),
        ({"slots": {"data": plain}}, "slots.data.methods.opens.key"),
        ({"variables": {"KEY": {"secret": mine, "value": "hunter2"}}}, None),
        ({"variables": {"KEY": {"secret": ""}}}, None),
    ):
        for path in ("/runs", "/launch/validate"):
            answer = await eve.call("POST", path, {**good, **changed})
            assert "hunter2" not in answer.text
            if field is None:
                assert code_of(answer, 422) == "invalid"
            elif path == "/runs":
                assert (code_of(answer, 422), answer.json()["field"]) == ("invalid", field)
    shared = {"visibility": "public"}
    done(await box.admin.call("PUT", f"/secrets/{hidden}/sharing", shared))
    answer = await eve.call("POST", "/runs", given(asked, hidden, mine))
    assert code_of(answer, 403) == "forbidden"


@pytest.mark.parametrize("how", ["rotated", "deleted"])
async def test_a_secret_that_changes_while_an_attempt_starts(
    box: Runner, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    vault = box.platform.services.vault
    id_, name = await a_secret(box.admin, VALUE)
    read = vault.read

    async def changed_meanwhile(secret: str, key: str) -> str:
        monkeypatch.setattr(vault, "read", read)
        path, value = f"/secrets/{id_}", {"value": "the newest"}
        rotated = how == "rotated"
        call = ("PUT", f"{path}/value", value) if rotated else ("DELETE", path, None)
        done(await box.admin.call(*call))
        return await read(secret, key)

    monkeypatch.setattr(vault, "read", changed_meanwhile)
    asked = {**given(await parts(box), name, name), "variables": {}}
    if how == "rotated":
        spec = await box.admitted(**asked)
        assert set(spec.secret_parameters.values()) == {"the newest"}
    else:
        with pytest.raises(SecretRefused, match="was deleted"):
            await box.admitted(**asked)


async def test_secrets_are_looked_at_again_when_an_attempt_starts(box: Runner) -> None:
    project = await a_project(box.platform)
    eve = await a_person(box.platform)
    path = f"/v1/users/{eve.id}/roles/{project}"
    done(await box.platform.http.put(path, json={"role": "contributor"}))
    hers = Runner(box.platform, eve, project)
    theirs, name = await a_secret(box.admin, VALUE, project=project)
    mine, other = await a_secret(eve, KEY, project=project)
    share = f"/secrets/{theirs}/sharing"
    done(await box.admin.call("PUT", share, {"visibility": "project"}))
    asked = given(await parts(hers), name, other)

    done(await box.admin.call("PUT", f"/secrets/{theirs}/value", {"value": "rotated-" + VALUE}))
    spec = await hers.admitted(**asked)
    assert spec.secret_parameters["/parameters/token"] == "rotated-" + VALUE
    assert spec.secrets == {"KEY": KEY}

    async def refused(change: Any) -> str:
        with pytest.raises(SecretRefused) as caught:
            await hers.admitted(**asked, before=change)
        return str(caught.value)

    async def withdraw() -> None:
        done(await box.admin.call("PUT", share, {"visibility": "private"}))

    why = await refused(withdraw)
    assert why.startswith(f"secret `{name}`: who asked for the run may not use this secret")
    done(await box.admin.call("PUT", share, {"visibility": "project"}))

    async def archive() -> None:
        done(await box.admin.call("POST", f"/secrets/{theirs}/archive"))

    assert await refused(archive) == f"secret `{name}` was archived"
    done(await box.admin.call("POST", f"/secrets/{theirs}/restore"))

    async def delete() -> None:
        done(await eve.call("DELETE", f"/secrets/{mine}"))

    assert await refused(delete) == f"secret `{other}` was deleted"
    again = {**asked, "experiment": await hers.abstraction("experiments")}
    assert code_of(await eve.call("POST", "/runs", again), 404) == "not-found"
