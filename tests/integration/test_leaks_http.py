"""Doors through which something hidden could be seen, or something not permitted be done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from api.bootstrap import FIRST_USER
from api.live.topics import Topics
from api.live.viewer import Viewer
from domain.aggregate import Context
from domain.name import reservation_id
from domain.project import DEFAULT_PROJECT
from hansard.formats.ids import new_id
from infra.database import connect
from projections.rebuild import LIVE
from tests.integration.conftest import Servers
from tests.integration.people import Person, a_group, a_person, a_project, code_of, done
from tests.integration.platform import Platform, running
from tests.integration.pushing import NET, a_bundle, uploaded


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path) as platform:
        yield platform


async def an_experiment(owner: Person, project: str | None = None) -> str:
    body = {"name": f"experiment {uuid4().hex[:10]}", "project": project}
    return str(done(await owner.call("POST", "/experiments", body))["id"])


async def share(owner: Person, experiment: str, **sharing: Any) -> int:
    answer = await owner.call("PUT", f"/experiments/{experiment}/sharing", sharing)
    return int(done(answer)["position"])


async def status_of(who: Person, path: str, **params: Any) -> int:
    return (await who.call("GET", path, params=params)).status_code


async def test_events_of_what_is_hidden_are_as_those_of_nothing(platform: Platform) -> None:
    bob, eve = await a_person(platform), await a_person(platform)
    name = f"experiment {uuid4().hex}"
    hidden = done(await bob.call("POST", "/experiments", {"name": name}))["id"]
    place = reservation_id(DEFAULT_PROJECT, "experiment", name)
    nothing = done(await eve.call("GET", "/events", params={"entity": new_id("experiment")}))
    for entity in (hidden, place, "administrators-00000000-0000-7000-8000-000000000000", "x"):
        found = done(await eve.call("GET", "/events", params={"entity": entity}))
        assert found["items"] == nothing["items"] == []
        assert found["next_cursor"] is nothing["next_cursor"] is None
    assert len(done(await bob.call("GET", "/events", params={"entity": hidden}))["items"]) == 1


async def test_only_people_and_groups_are_shared_with(platform: Platform) -> None:
    bob = await a_person(platform)
    mine = await an_experiment(bob)
    taken = reservation_id(DEFAULT_PROJECT, "experiment", "whatever")
    for id_ in (taken, new_id("group"), FIRST_USER.replace("user", "run")):
        answer = await bob.call("PUT", f"/experiments/{mine}/sharing", {"groups": [id_]})
        assert code_of(answer, 404) == "not-found"


async def test_a_command_is_permitted_as_things_are_and_as_they_will_be(
    platform: Platform,
) -> None:
    bob, eve = await a_person(platform), await a_person(platform)
    project = await a_project(platform)
    for person, role in ((bob, "contributor"), (eve, "manager")):
        path = f"/v1/users/{person.id}/roles/{project}"
        done(await platform.http.put(path, json={"role": role}))
    shared = await an_experiment(bob, project)
    await share(bob, shared, visibility="project")
    # Eve may share it further, but not take it to where she could not have touched it.
    position = await share(eve, shared, visibility="public")
    refused = await eve.call("PUT", f"/experiments/{shared}/sharing", {"visibility": "private"})
    assert refused.status_code == 404
    params = {"min_position": position}
    found = done(await bob.call("GET", f"/experiments/{shared}", params=params))
    assert found["visibility"] == "public"


async def test_single_entities_are_decided_on_the_record_while_the_tables_lag(
    platform: Platform,
) -> None:
    bob, eve = await a_person(platform), await a_person(platform)
    shared = await an_experiment(bob)
    position = await share(bob, shared, visibility="public")
    assert await status_of(eve, f"/experiments/{shared}", min_position=position) == 200
    async with standing_projector(platform):
        await share(bob, shared, visibility="private")
        assert await status_of(eve, f"/experiments/{shared}") == 404
        found = done(await eve.call("GET", "/events", params={"entity": shared}))
        assert found["items"] == []


async def test_files_are_decided_on_the_record_while_the_tables_lag(platform: Platform) -> None:
    bob, eve = await a_person(platform), await a_person(platform)
    headers = {"Authorization": f"Bearer {bob.token}"}
    unique = a_bundle(source=NET + f"# {uuid4().hex}".encode())  # others publish the plain one
    sent = await platform.http.post("/v1/bundles", content=unique, headers=headers)
    model = f"/models/{done(await bob.call('POST', '/models', {'name': uuid4().hex}))['id']}"
    made = done(await bob.call("POST", f"{model}/versions", uploaded(sent)))
    done(await bob.call("PUT", f"{model}/sharing", {"visibility": "public"}))
    private = {"visibility": "private"}
    shared = done(await bob.call("PUT", f"{model}/sharing", {"visibility": "project"}))
    version, file = f"/versions/{made['id']}", f"/files/{sent.json()['digest']}"
    assert await status_of(eve, version, min_position=shared["position"]) == 200
    assert await status_of(eve, file) == 200
    async with standing_projector(platform):
        done(await bob.call("PUT", f"{model}/sharing", private))
        assert await status_of(eve, version) == 404
        assert await status_of(eve, file) == 404
        assert await status_of(bob, file) == 200


@asynccontextmanager
async def standing_projector(platform: Platform) -> AsyncIterator[None]:
    """The projector waits for the row that tells its position."""
    with connect(platform.settings.postgres_url, LIVE) as blocker, blocker.transaction():
        blocker.execute("SELECT * FROM tracking FOR UPDATE")
        yield


async def test_lists_and_single_entities_open_as_an_embargo_ends(platform: Platform) -> None:
    bob, eve = await a_person(platform), await a_person(platform)
    shared = await an_experiment(bob)
    await share(bob, shared, visibility="public")
    end = datetime.now(UTC) + timedelta(seconds=2)
    path = f"/experiments/{shared}"
    written = await bob.call("PUT", f"{path}/embargo", {"until": end.isoformat()})
    position = done(written)["position"]

    async def seen() -> tuple[int, bool]:
        asked = {"min_position": position, "filter": f"id == '{shared}'"}
        listed = done(await eve.call("GET", "/experiments", params=asked))["items"]
        return await status_of(eve, path), bool(listed)

    assert await seen() == (404, False)
    assert await status_of(bob, path) == 200
    while datetime.now(UTC) < end:
        await asyncio.sleep(0.05)
    assert await seen() == (200, True)


async def test_keys_are_bound_to_caller_method_and_address(platform: Platform) -> None:
    bob, eve = await a_person(platform), await a_person(platform)
    key = {"Idempotency-Key": "the same"}
    body = {"name": f"experiment {uuid4().hex}"}
    first = done(await bob.call("POST", "/experiments", body, headers=key))["id"]
    assert done(await bob.call("POST", "/experiments", body, headers=key))["repeated"] is True
    described = await bob.call("PATCH", f"/experiments/{first}", {"description": "x"}, headers=key)
    assert "repeated" not in described.json() or described.json()["repeated"] is False
    other = done(await eve.call("POST", "/experiments", body, headers=key))["id"]
    assert other != first
    reader = await a_person(platform, scopes=["read"])
    refused = await reader.call("POST", f"/experiments/{first}/archive", headers=key)
    assert code_of(refused, 403) == "scope"


@pytest.mark.parametrize("path", ["/runs?sort=now", "/runs/facets?field=now"])
async def test_the_moment_is_no_order(platform: Platform, path: str) -> None:
    assert (await platform.http.get(f"/v1{path}")).status_code == 422


CHANGES = ["disable", "revoke", "leave", "expire", "withdraw"]


@pytest.mark.parametrize("change", CHANGES)
async def test_a_listener_is_cut_off_by_any_change_of_rights(
    platform: Platform, change: str
) -> None:
    """Whatever the rights depend on: the account, the token, a group, the sharing, a policy."""
    bob, eve = await a_person(platform), await a_person(platform)
    group = await a_group(bob)
    done(await platform.http.put(f"/v1/groups/{group}/members/{eve.id}"))
    shared = await an_experiment(bob)
    await share(bob, shared, groups=[group])
    asked = {"label": "short", "expires_in_s": 2}
    issued = done(await eve.call("POST", f"/users/{eve.id}/tokens", asked))
    listening = Person(platform, eve.id, issued["token"])
    stream = await listen(platform, listening, shared)
    assert b"event: open" in await anext(stream)
    match change:
        case "disable":
            done(await platform.http.post(f"/v1/users/{eve.id}/disable"))
        case "revoke":
            done(await eve.call("POST", f"/tokens/{issued['id']}/revoke"))
        case "leave":
            done(await platform.http.delete(f"/v1/groups/{group}/members/{eve.id}"))
        case "withdraw":
            await share(bob, shared)
        case _:
            pass  # the token expires by itself
    assert [m async for m in stream if b"ping" not in m] == [b"event: denied\ndata: {}\n\n"]


async def listen(platform: Platform, who: Person, experiment: str) -> AsyncIterator[bytes]:
    """The stream itself: the test's client would wait for the end of an answer."""
    services = platform.services

    async def look_up() -> Any:
        context = Context(who.id, datetime.now(UTC), "test")
        caller = await services.authenticator.subject(who.token, context)
        return None if caller is None else await services.access(caller, context.time)

    viewer = Viewer(await look_up(), look_up)
    return services.live.listen(Topics.parse(f"experiment:{experiment}"), viewer, None)
