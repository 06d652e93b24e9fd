"""The audit list: who did what, when, why and from which request, under policy."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from projections import events
from tests.integration.conftest import Servers
from tests.integration.governing import a_name, a_text, governed, in_force
from tests.integration.people import Person, code_of, done
from tests.integration.people import a_person as person
from tests.integration.platform import Platform


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


async def listed(who: Person, **params: Any) -> list[dict[str, Any]]:
    """All pages of the list."""
    found: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next_cursor": None}
    while not found or page["next_cursor"] is not None:
        given = {**params, "cursor": page["next_cursor"]} if page["next_cursor"] else params
        page = done(await who.call("GET", "/events", params=given))
        found += page["items"]
        if page["next_cursor"] is None:
            break
    return found


async def a_changed_experiment(owner: Person) -> str:
    """Created, described and shared with everybody."""
    id_ = str(done(await owner.call("POST", "/experiments", {"name": a_name()}))["id"])
    done(await owner.call("PATCH", f"/experiments/{id_}", {"description": "first words"}))
    done(await owner.call("PUT", f"/experiments/{id_}/sharing", {"visibility": "public"}))
    return id_


async def test_events_say_what_they_changed_and_by_which_decision(platform: Platform) -> None:
    bob, admin = await person(platform), Person(platform, "", platform.token)
    id_ = await a_changed_experiment(bob)
    created, described, shared = await listed(bob, entity=id_)
    assert [created["action"], created["kind"]] == ["experiment.created", "experiment"]
    assert created["changes"]["name"] == {"before": None, "after": created["data"]["name"]}
    assert described["changes"] == {"description": {"before": "", "after": "first words"}}
    assert shared["changes"]["visibility"] == {"before": "private", "after": "public"}
    eve = await person(platform)
    assert (await listed(eve, entity=id_))[2]["decisions"] == []  # it may be read by bob only
    (seen,) = await listed(admin, filter=f"entity == '{id_}' and action == 'experiment.shared'")
    (decision,) = [d for d in seen["decisions"] if d["entity"] == id_]
    assert (decision["action"], decision["permitted"]) == ("share", True)
    assert decision["rule"] is not None
    of_request = await listed(admin, request=seen["request"])
    assert {event["entity"] for event in of_request} == {id_, decision["id"]}


async def test_the_record_is_searched_in_either_order_page_by_page(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob, eve = await person(platform), await person(platform)
    id_ = await a_changed_experiment(bob)
    hidden = done(await bob.call("POST", "/experiments", {"name": a_name()}))["id"]
    asked = {"filter": f"actor == '{bob.id}' and kind == 'experiment'"}
    oldest = await listed(bob, **asked)
    assert [event["entity"] for event in oldest] == [id_, id_, id_, hidden]
    assert (await listed(bob, sort="-position", limit=1, **asked)) == oldest[::-1]
    assert [e["entity"] for e in await listed(eve, **asked)] == [id_] * 3
    assert (
        await listed(bob, since=oldest[1]["time"], until=oldest[3]["time"], **asked)
        == (oldest[1:3])
    )
    monkeypatch.setattr(events, "SCAN", 2)
    assert [e["entity"] for e in await listed(eve, sort="-position", **asked)] == [id_] * 3


async def test_what_is_masked_is_neither_shown_nor_found(platform: Platform) -> None:
    bob, eve = await person(platform), await person(platform)
    id_ = await a_changed_experiment(bob)
    mask = 'mask:\n  - {fields: [description, created_by], when: "r.obj.owner == r.sub.id"}\n'
    await in_force(platform, a_text(a_name(), "r.obj.name == 'never'") + mask)
    for event in await listed(eve, entity=id_):
        assert event["actor"] is None
        assert "first words" not in str(event)
        assert "description" not in event["changes"]
    assert await listed(eve, entity=id_, actor=bob.id) == []
    assert len(await listed(bob, entity=id_, actor=bob.id)) == 3


async def test_what_makes_no_sense_is_refused(platform: Platform) -> None:
    admin = Person(platform, "", platform.token)
    for params, code in (
        ({"filter": "description == 'x'"}, "invalid-expression"),
        ({"cursor": "AAAA"}, "invalid-cursor"),
        ({"nonsense": "x"}, "invalid"),
        ({"sort": "time"}, "invalid"),
        ({"since": "yesterday"}, "invalid"),
    ):
        assert code_of(await admin.call("GET", "/events", params=params), 422) == code


async def test_an_erased_person_has_no_name_and_the_events_stay(platform: Platform) -> None:
    bob, admin = await person(platform, name="Bob Sealed"), Person(platform, "", platform.token)
    path, why = f"/users/{bob.id}", {"reason": "asked for it"}
    before = [m.payload for m in await platform.services.log.read(bob.id)]
    assert code_of(await admin.call("POST", f"{path}/erase", why), 409) == "conflict"
    assert code_of(await bob.call("POST", f"{path}/erase", why), 403) == "forbidden"
    done(await admin.call("POST", f"{path}/disable"))
    assert code_of(await admin.call("POST", f"{path}/erase", {"reason": " "}), 422) == "invalid"
    position = done(await admin.call("POST", f"{path}/erase", why))["position"]
    again = done(await admin.call("POST", f"{path}/erase", why))
    seen = done(await admin.call("GET", path, params={"min_position": again["position"]}))
    assert (seen["name"], seen["mail"], seen["erased"]) == (None, None, True)
    (row,) = done(await admin.call("GET", "/users", params={"filter": "erased"}))["items"]
    assert (row["id"], row["name"]) == (bob.id, None)
    events = await listed(admin, entity=bob.id)
    assert [e["action"] for e in events][-2:] == ["user.disabled", "user.erased"]
    assert (events[-1]["position"], events[-1]["reason"]) == (position, "asked for it")
    after = await platform.services.log.read(bob.id)
    assert [m.payload for m in after][: len(before)] == before
    sealed = events[0]["data"]["profile"]
    assert await platform.services.keys.open(bob.id, sealed) is None
    assert code_of(await admin.call("POST", f"{path}/enable"), 409) == "conflict"


async def test_reads_are_recorded_where_a_policy_obliges_to(platform: Platform) -> None:
    bob, admin = await person(platform), Person(platform, "", platform.token)
    first, second, third = [await a_changed_experiment(bob) for _ in range(3)]
    text = a_text(a_name(), "r.obj.name == 'never'") + "obligations: [record]\n"
    await in_force(platform, text)
    eve = await person(platform)
    for _ in range(2):
        done(await eve.call("GET", f"/experiments/{first}"))
    page = done(await eve.call("GET", "/experiments", params={"filter": f"id == '{second}'"}))
    assert [row["id"] for row in page["items"]] == [second]
    await listed(eve, entity=third)
    asked = {"filter": f"entity in ['{first}', '{second}', '{third}']", "subject": eve.id}
    last = await platform.services.log.last()
    assert last is not None
    found = done(
        await admin.call("GET", "/decisions", params={**asked, "min_position": last.position})
    )["items"]
    assert [d["entity"] for d in found] == [third, second, first]
    assert {(d["action"], d["permitted"]) for d in found} == {("read", True)}
    verified = done(await admin.call("POST", f"/decisions/{found[0]['id']}/verify"))
    assert verified["agrees"]
