"""What would change, compared with what then changes; and decisions made again."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import typer
from nats.aio.client import Client
from typer.testing import CliRunner

from api import cli_commands
from api.cli import register
from api.redecide import Redecision, redecide_all
from infra.event_log.bulk_read import BulkReader
from infra.event_log.layout import Layout
from infra.event_log.log import EventLog
from infra.event_log.message import LogMessage
from infra.event_log.streams import Stream, create, events
from infra.nats_connection import connect
from tests.integration.conftest import Servers
from tests.integration.governing import (
    a_name,
    a_text,
    an_experiment,
    governed,
    in_force,
    latest,
    new_group,
)
from tests.integration.people import Person, a_person, a_project, code_of, done
from tests.integration.platform import Platform


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


async def what_if(platform: Platform, who: Person, **body: Any) -> dict[str, Any]:
    params = await latest(platform)
    return done(await who.call("POST", "/policies/what-if", body, params=params))


async def shown(platform: Platform, who: Person) -> set[str]:
    """The experiments that somebody sees in lists."""
    params: dict[str, Any] = {**await latest(platform), "limit": 500, "archived": True}
    page = done(await who.call("GET", "/experiments", params=params))
    assert page["next_cursor"] is None
    return {item["id"] for item in page["items"]}


def assert_is(rows: dict[str, Any], expected: set[str]) -> None:
    assert rows["count"] == len(expected)
    assert set(rows["sample"]) <= expected
    assert len(rows["sample"]) == min(10, len(expected))


async def test_what_a_policy_would_change_is_what_it_changes(platform: Platform) -> None:
    admin = await a_person(platform, attributes={"admin": True})
    eve = await a_person(platform)
    hidden = [await an_experiment(platform, visibility="public") for _ in range(12)]
    opened = await an_experiment(platform)
    archived = await an_experiment(platform, visibility="public")
    done(await platform.http.post(f"/v1/experiments/{archived}/archive"))
    name = a_name()
    text = (
        f"policy: {name}\nentity: experiment\nactions: read\nroot:\n  combine: deny-overrides\n"
        "  rules:\n"
        f"    - {{id: open, effect: permit, when: \"r.obj.id == '{opened}'\"}}\n"
        f'    - {{id: shut, effect: deny, when: "r.obj.id in {[*hidden, archived]} '
        'and not r.sub.admin"}\n'
    )
    before = await shown(platform, eve)
    supposed = await what_if(platform, admin, text=text, subject=eve.id, kind="experiment")
    own = await what_if(platform, eve, text=text, kind="experiment")
    await in_force(platform, text)
    after = await shown(platform, eve)
    assert after - before == {opened}
    assert before - after == {*hidden, archived}
    assert_is(supposed["gained"], after - before)
    assert_is(supposed["lost"], before - after)
    assert_is(own["gained"], set())  # what eve does not see is not told her
    assert_is(own["lost"], before - after)


async def test_what_other_groups_and_roles_would_change_is_what_they_change(
    platform: Platform,
) -> None:
    admin = await a_person(platform, attributes={"admin": True})
    eve, project = await a_person(platform), await a_project(platform)
    old, new = await new_group(platform), await new_group(platform)
    done(await platform.http.put(f"/v1/groups/{old}/members/{eve.id}"))
    for groups in ([old], [new], [old, new]):
        await an_experiment(platform, groups=groups)
    body = {"name": a_name(), "project": project}
    in_project = done(await platform.http.post("/v1/experiments", json=body))["id"]
    sharing = {"visibility": "project"}
    done(await platform.http.put(f"/v1/experiments/{in_project}/sharing", json=sharing))
    before = await shown(platform, eve)
    supposed = await what_if(
        platform,
        admin,
        kind="experiment",
        attributes={"subject": eve.id, "groups": [new], "roles": {project: "viewer"}},
    )
    done(await platform.http.delete(f"/v1/groups/{old}/members/{eve.id}"))
    done(await platform.http.put(f"/v1/groups/{new}/members/{eve.id}"))
    path = f"/v1/users/{eve.id}/roles/{project}"
    done(await platform.http.put(path, json={"role": "viewer"}))
    after = await shown(platform, eve)
    assert (len(after - before), len(before - after)) == (2, 1)
    assert_is(supposed["gained"], after - before)
    assert_is(supposed["lost"], before - after)


async def test_attributes_and_a_text_can_be_supposed_together(platform: Platform) -> None:
    admin, eve = await a_person(platform, attributes={"admin": True}), await a_person(platform)
    entity = await an_experiment(platform)
    text = a_text(
        a_name(),
        f"r.obj.id == '{entity}' and r.sub.guest",
        effect="permit",
        subject="{guest: bool}",
    )
    for guest, gained in ((True, 1), (False, 0)):
        supposed = await what_if(
            platform,
            admin,
            kind="experiment",
            text=text,
            attributes={"subject": eve.id, "attributes": {"guest": guest}},
        )
        assert supposed["gained"]["count"] == gained


async def test_a_supposition_that_makes_no_sense_is_refused(platform: Platform) -> None:
    eve, bob = await a_person(platform), await a_person(platform)
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"kind": "allocation"}, 422, "invalid"),
        ({"kind": "run", "action": "fly"}, 422, "invalid"),
        ({"kind": "run", "text": "policy: ["}, 422, "invalid-policy"),
        ({"kind": "run", "attributes": {"attributes": {"x": 1.5}}}, 422, "invalid"),
        ({"kind": "run", "attributes": {"groups": ["group-x"]}}, 404, "not-found"),
        ({"kind": "run", "attributes": {"roles": {"project-x": "king"}}}, 422, "invalid"),
        ({"kind": "run", "subject": eve.id, "attributes": {"subject": bob.id}}, 422, "invalid"),
        ({"kind": "run", "sql": "x"}, 422, "invalid"),
    ]
    for body, status, code in cases:
        answer = await eve.call("POST", "/policies/what-if", body)
        assert code_of(answer, status) == code, body


async def test_suppositions_tell_nothing_of_masked_fields(platform: Platform) -> None:
    eve = await a_person(platform)
    entity = await an_experiment(platform, visibility="public", users=[eve.id])
    mask = a_text(a_name(), "False") + "mask:\n  - {fields: [visibility], when: r.sub.admin}\n"
    await in_force(platform, mask)
    text = a_text(a_name(), f"r.obj.id == '{entity}' and r.obj.visibility == 'public'")
    found = await what_if(platform, eve, text=text, kind="experiment")
    assert (found["gained"]["count"], found["lost"]["count"]) == (0, 0)
    plain = a_text(a_name(), f"r.obj.id == '{entity}'")
    assert (await what_if(platform, eve, text=plain, kind="experiment"))["lost"]["count"] == 1
    body = {"action": "read", "entity": entity}
    answer = done(await eve.call("POST", "/policies/explain", body))
    outcomes = {rule["rule"]: rule["outcome"] for rule in answer["rules"]}
    assert outcomes["public"] == "masked"
    assert outcomes["owner"] == "does not apply"
    assert code_of(await eve.call("POST", "/policies/who-can", body), 403) == "masked"


async def test_recorded_decisions_are_listed_and_come_out_the_same_again(
    platform: Platform,
) -> None:
    eve = await a_person(platform)
    entity = await an_experiment(platform, visibility="public")
    embargo = {"until": datetime(2031, 1, 1, tzinfo=UTC).isoformat()}
    done(await platform.http.put(f"/v1/experiments/{entity}/embargo", json=embargo))
    done(await platform.http.put(f"/v1/experiments/{entity}/embargo", json={"until": None}))
    answer = await eve.call("PUT", f"/experiments/{entity}/sharing", {"visibility": "private"})
    assert code_of(answer, 403) == "forbidden"
    params: dict[str, Any] = {**await latest(platform), "entity": entity, "limit": 500}
    items = done(await platform.http.get("/v1/decisions", params=params))["items"]
    assert {item["permitted"] for item in items} == {True, False}
    for item in items:
        path = f"/v1/decisions/{item['id']}"
        found = done(await platform.http.post(f"{path}/verify"))
        assert (found["agrees"], found["again"]) == (True, item["permitted"])
        row = done(await platform.http.get(path))
        assert row["detail"]["object"]["id"] == entity
    own = done(await eve.call("GET", "/decisions", params=params))["items"]
    assert [item["subject"] for item in own] == [eve.id]
    other = next(item["id"] for item in items if item["permitted"])
    assert code_of(await eve.call("POST", f"/decisions/{other}/verify"), 404) == "not-found"


class Copy:
    """The policies and decisions of a record in a stream of their own, to tamper with."""

    def __init__(self, client: Client, url: str) -> None:
        name = uuid4().hex[:8]
        self.layout = Layout(f"COPY_{name}", f"copy_{name}")
        self._client, self._url = client, url

    async def fill(self, messages: list[LogMessage]) -> None:
        kept = events(self.layout)
        await create(self._client, Stream(kept.name, kept.subjects, {}))
        for message in messages:
            subject = self.layout.prefix + message.subject[len(Layout().prefix) :]
            headers = {"T": message.topic, "H": message.hash}
            await self._client.request(subject, message.payload, 2, headers=headers)

    def disagreements(self) -> dict[str, Redecision]:
        with BulkReader(self._url, self.layout.stream) as reader:
            found = redecide_all(reader, self.layout)
        assert found.decisions > 2
        return {one.id: one.outcome for one in found.disagreements}


async def test_a_record_that_was_tampered_with_disagrees(
    platform: Platform, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    entity = await an_experiment(platform, visibility="public")
    await an_experiment(platform, visibility="public")
    layout, log = Layout(), EventLog(platform.services.nats)
    kept = [m for kind in ("policy", "decision") for m in await _all(log, layout.of_kind(kind))]
    with BulkReader(servers.nats["admin"], layout.stream) as reader:
        assert redecide_all(reader, layout).disagreements == []
    client = await connect(servers.nats["admin"], "test")
    mine = next(m for m in kept if b'"decision' not in m.payload and entity.encode() in m.payload)
    id_ = str(layout.parse(mine.subject)[0])
    copy = Copy(client, servers.nats["admin"])
    for change, again in (
        ({"permitted": False}, True),
        ({"subject": {"admin": False}, "object": {"owner": "user-x"}}, False),
        ({"policies": {"changing": "0" * 64}}, None),
        ({"object": {"owner": 5, "embargo_until": "never"}}, None),
    ):
        copy = Copy(client, servers.nats["admin"])
        await copy.fill([_tampered(m, change) if m is mine else m for m in kept])
        found = copy.disagreements()
        assert list(found) == [id_], change
        assert (found[id_].agrees, found[id_].again) == (False, again), change
        assert (found[id_].problem is None) is (again is not None)
    await client.close()
    monkeypatch.setenv("HANSARD_NATS_READER_URL", servers.nats["admin"])
    monkeypatch.setenv("HANSARD_POSTGRES_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    app = typer.Typer()
    register(app)
    whole = CliRunner().invoke(app, ["policies", "verify-decisions"])
    assert (whole.exit_code, whole.output.endswith("are the same again\n")) == (0, True)
    monkeypatch.setattr(cli_commands, "Layout", lambda: copy.layout)
    tampered = CliRunner().invoke(app, ["policies", "verify-decisions", "--json"])
    assert tampered.exit_code == 1
    told = orjson.loads(tampered.stdout)["disagreements"]
    assert [(one["id"], one["agrees"], one["recorded"]) for one in told] == [(id_, False, True)]


async def _all(log: EventLog, subjects: str) -> list[LogMessage]:
    found: list[LogMessage] = []
    while page := await log.read_after(found[-1].position if found else 0, 500, subjects):
        found += page
    return found


def _tampered(message: LogMessage, change: dict[str, Any]) -> LogMessage:
    payload = orjson.loads(message.payload)
    for name, value in change.items():
        old = payload["data"][name]
        payload["data"][name] = {**old, **value} if isinstance(value, dict) else value
    fields = {name: getattr(message, name) for name in LogMessage.__slots__}
    return LogMessage(**{**fields, "payload": orjson.dumps(payload)})
