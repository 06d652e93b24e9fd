"""The bytes of versions through HTTP: held, retained, deleted, in quarantine."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration.artifacts import (
    an_artifact,
    commit,
    meant,
    nothing_stored,
    published,
    read,
    registered,
    topics_after,
)
from tests.integration.conftest import Servers
from tests.integration.governing import a_name, a_text, governed, in_force, latest
from tests.integration.people import Person, a_person, code_of, done
from tests.integration.platform import Platform
from tests.integration.pushing import NET, a_bundle, uploaded

PUBLIC = {"visibility": "public"}


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as platform:
        yield platform


@pytest.fixture
async def bob(platform: Platform) -> Person:
    return await a_person(platform)


async def test_bytes_on_hold_stay_until_they_are_released(platform: Platform, bob: Person) -> None:
    model = await registered(bob, "models", **PUBLIC)
    version = (await published(bob, "models", model))["id"]
    path, because = f"/versions/{version}", {"reason": "an audit"}
    eve = await a_person(platform)
    assert await nothing_stored(platform, eve.call("PUT", f"{path}/hold", because), 403)
    done(await bob.call("PUT", f"{path}/hold", because))
    assert (await read(platform, bob, path))["hold"] == "an audit"
    again = bob.call("PUT", f"{path}/hold", because)
    assert await nothing_stored(platform, again, 409) == "held"
    delete = bob.call("DELETE", path, {"reason": "tidy"})
    assert await nothing_stored(platform, delete, 409) == "held"
    for verb, wrong in (("PUT", {}), ("PUT", {"reason": ""}), ("DELETE", {"reason": "  "})):
        assert await nothing_stored(platform, bob.call(verb, f"{path}/hold", wrong), 422)
    done(await bob.call("DELETE", f"{path}/hold", {"reason": "over"}))
    assert (await read(platform, bob, path))["hold"] is None
    release = bob.call("DELETE", f"{path}/hold", {"reason": "over"})
    assert await nothing_stored(platform, release, 409) == "conflict"


async def test_a_hold_with_a_key_happens_once(platform: Platform, bob: Person) -> None:
    model = await registered(bob, "models")
    version = (await published(bob, "models", model))["id"]
    path, key = f"/versions/{version}/hold", {"Idempotency-Key": uuid4().hex}
    first, again = [
        done(await bob.call("PUT", path, {"reason": "an audit"}, headers=key)) for _ in range(2)
    ]
    assert (again["id"], again["position"]) == (version, first["position"])


async def test_retention_is_never_shortened(platform: Platform, bob: Person) -> None:
    model = await registered(bob, "models")
    version = (await published(bob, "models", model))["id"]
    path = f"/versions/{version}"
    soon, late = (datetime.now(UTC) + timedelta(days=days) for days in (1, 2))
    retain = f"{path}/retention"
    done(await bob.call("PUT", retain, {"until": late.isoformat()}))
    shown = (await read(platform, bob, path))["retained_until"]
    assert datetime.fromisoformat(shown) == late
    for until in (soon.isoformat(), None):
        request = bob.call("PUT", retain, {"until": until})
        assert await nothing_stored(platform, request, 409) == "retained"
    delete = bob.call("DELETE", path, {"reason": "tidy"})
    assert await nothing_stored(platform, delete, 409) == "retained"
    for wrong in ({"until": "2030-01-01T00:00:00"}, {"until": "soon"}, {}, {"until": 1.5, "a": 1}):
        assert await nothing_stored(platform, bob.call("PUT", retain, wrong), 422), wrong


async def test_a_deleted_version_keeps_its_number_and_loses_its_bytes(
    platform: Platform, bob: Person
) -> None:
    model = await registered(bob, "models", **PUBLIC)
    first = await published(bob, "models", model, aliases=["champion"])
    second = await published(bob, "models", model)
    path, because = f"/versions/{first['id']}", {"reason": "no longer needed"}
    eve = await a_person(platform)
    assert await nothing_stored(platform, eve.call("DELETE", path, because), 403) == "forbidden"
    named = await bob.call("DELETE", path, because)
    assert code_of(named, 409) == "aliased"
    assert named.json()["aliases"] == ["champion"]
    done(await bob.call("PUT", f"/models/{model}/aliases", {"aliases": {"champion": 2}}))
    row = await read(platform, bob, path)
    before = (await latest(platform))["min_position"]
    freed = done(await bob.call("DELETE", path, because))
    assert freed["id"] == first["id"]
    assert freed["freed_bytes"] > row["size"] // 2
    topics = await topics_after(platform, before)
    assert sorted(topics) == ["artifact.deleted.v1", "version.deleted.v1"]
    row = await read(platform, bob, path)
    assert (row["number"], row["deleted"], row["deleted_reason"]) == (1, True, because["reason"])
    assert await meant(platform, bob, model) == [second["number"]]
    listed = f"/artifacts/{row['artifact']}/files"
    assert code_of(await bob.call("GET", listed), 404) == "not-found"
    for verb, where, body in (
        ("DELETE", path, because),
        ("PATCH", path, {"card": "x"}),
        ("POST", f"{path}/restore", None),
        ("PUT", f"/models/{model}/aliases", {"aliases": {"old": 1}}),
    ):
        request = bob.call(verb, where, body)
        assert await nothing_stored(platform, request, 409) == "version-deleted", where
    third = await published(bob, "models", model)
    assert third["number"] == 3


async def test_code_alone_is_deleted_too_and_frees_nothing(platform: Platform, bob: Person) -> None:
    model = await registered(bob, "models")
    headers = {"Authorization": f"Bearer {bob.token}"}
    own = a_bundle(source=NET + f"# {uuid4().hex}".encode())  # others publish the plain one
    sent = await bob.http.post("/v1/bundles", content=own, headers=headers)
    made = done(await bob.call("POST", f"/models/{model}/versions", uploaded(sent)))
    path = f"/versions/{made['id']}"
    hold = bob.call("PUT", f"{path}/hold", {"reason": "an audit"})
    assert await nothing_stored(platform, hold, 409) == "conflict"
    assert await nothing_stored(platform, bob.call("DELETE", path, {}), 422) == "invalid"
    assert done(await bob.call("DELETE", path, {"reason": "tidy"}))["freed_bytes"] == 0


async def test_of_deletion_and_hold_at_once_one_succeeds(bob: Person) -> None:
    model = await registered(bob, "models")
    version = (await published(bob, "models", model))["id"]
    held, deleted = await asyncio.gather(
        bob.call("PUT", f"/versions/{version}/hold", {"reason": "an audit"}),
        bob.call("DELETE", f"/versions/{version}", {"reason": "tidy"}),
    )
    assert {held.status_code, deleted.status_code} == {200, 409}


async def test_quarantined_bytes_are_published_by_whom_policies_let(
    platform: Platform, bob: Person
) -> None:
    model = await registered(bob, "models", **PUBLIC)
    attributes = f"/v1/users/{bob.id}/attributes"
    assert code_of(await commit(bob, model, quarantine=True), 403) == "forbidden"
    done(await bob.http.put(attributes, json={"attributes": {"admin": True}}))
    artifact = await an_artifact(bob, model, quarantine=True)
    done(await bob.http.put(attributes, json={"attributes": {}}))
    path, body = f"/models/{model}/versions", {"artifact": artifact}
    assert await nothing_stored(platform, bob.call("POST", path, body), 403) == "forbidden"
    done(await bob.http.put(attributes, json={"attributes": {"admin": True}}))
    made = done(await bob.call("POST", path, body))
    row = await read(platform, bob, f"/versions/{made['id']}")
    assert (row["quarantined"], row["format"]) == (True, "quarantined")


async def test_a_hold_is_masked_with_the_content(platform: Platform, bob: Person) -> None:
    model = await registered(bob, "models", **PUBLIC)
    version = (await published(bob, "models", model))["id"]
    done(await bob.call("PUT", f"/versions/{version}/hold", {"reason": "a secret"}))
    eve = await a_person(platform)
    assert (await read(platform, eve, f"/versions/{version}"))["hold"] == "a secret"
    rule = a_text(a_name(), "False", entity="version", effect="permit")
    mask = 'mask: [{fields: [content], when: "r.obj.owner == r.sub.id"}]\n'
    await in_force(platform, rule + mask)
    row = await read(platform, eve, f"/versions/{version}")
    assert (row["hold"], row["content"], row["masked"]) == (None, None, ["content"])
    assert (await read(platform, bob, f"/versions/{version}"))["hold"] == "a secret"
