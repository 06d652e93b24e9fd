"""Secrets over HTTP: set, rotated, deleted, shared; no answer, event or row has a value."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.aggregate import Context
from domain.secret import MAX_VALUE_BYTES, Secret
from hansard.formats.ids import new_id
from infra.database import connect
from infra.secret_vault import SecretVault
from projections.rebuild import LIVE
from tests.integration.conftest import Servers
from tests.integration.people import Person, a_person, a_project, code_of, done
from tests.integration.platform import Platform, running
from tests.integration.pushing import a_name

VALUE = "hunter2-over-http"
OTHER = "hunter3-over-http"


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path) as platform:
        yield platform


async def a_secret(owner: Person, value: str = VALUE, **more: Any) -> str:
    body = {"name": a_name(), "value": value, **more}
    return str(done(await owner.call("POST", "/secrets", body))["id"])


async def row(who: Person, id_: str, position: int = 0) -> dict[str, Any]:
    return done(await who.call("GET", f"/secrets/{id_}", params={"min_position": position}))


async def kept(platform: Platform, id_: str) -> list[tuple[str, bytes]]:
    """What lies in the vault under a secret."""
    found = await platform.services.vault.after(0, 100_000)
    return [(m.subject.rpartition(".")[2], m.payload) for m in found if id_ in m.subject]


async def recorded(platform: Platform, id_: str) -> Secret:
    context = Context("test", datetime.now(UTC), "test")
    return await platform.services.store.run(context, lambda s: s.load(Secret, id_))


async def value_of(platform: Platform, id_: str) -> str:
    ((key, _),) = await kept(platform, id_)
    return await platform.services.vault.read(id_, key)


def shown(text: str) -> bool:
    return "hunter" in text


async def test_a_secret_is_set_rotated_and_deleted_and_never_shown(
    platform: Platform, servers: Servers, capfd: pytest.CaptureFixture[str]
) -> None:
    ada = await a_person(platform)
    name = a_name()
    made = await ada.call("POST", "/secrets", {"name": name, "value": VALUE, "description": "hub"})
    id_, position = done(made)["id"], made.json()["position"]
    first = await row(ada, id_, position)
    assert (first["name"], first["number"], first["deleted"]) == (name, 1, False)
    assert await value_of(platform, id_) == VALUE
    rotated = await ada.call("PUT", f"/secrets/{id_}/value", {"value": OTHER})
    assert (await row(ada, id_, done(rotated)["position"]))["number"] == 2
    assert await value_of(platform, id_) == OTHER
    listed = await ada.call("GET", "/secrets", params={"name": name})
    assert [item["id"] for item in done(listed)["items"]] == [id_]
    deleted = await ada.call("DELETE", f"/secrets/{id_}")
    gone = await row(ada, id_, done(deleted)["position"])
    assert (gone["deleted"], gone["archived"], await kept(platform, id_)) == (True, True, [])
    listed = await ada.call("GET", "/secrets", params={"name": name})
    assert done(listed)["items"] == []
    events = await ada.call("GET", "/events", params={"entity": id_})
    assert [event["topic"] for event in done(events)["items"]] == [
        *("secret.created.v1", "secret.rotated.v1", "secret.deleted.v1")
    ]
    again = await a_secret(ada, name=name)  # the name is free again
    answers = [made, rotated, listed, deleted, events]
    assert not [answer for answer in answers if shown(answer.text)]
    log = platform.services.log
    assert not [m for m in await log.read(id_) + await log.read(again) if b"hunter" in m.payload]
    with connect(servers.postgres, LIVE) as tables:
        rows = tables.execute("SELECT to_jsonb(s)::text FROM secret s").fetchall()
    assert rows
    assert not [text for (text,) in rows if shown(text)]
    told = capfd.readouterr()
    assert not shown(told.out + told.err)


async def test_bad_input_is_refused_without_telling_the_value(platform: Platform) -> None:
    ada = await a_person(platform)
    id_ = await a_secret(ada)
    long = "hunter2" * MAX_VALUE_BYTES
    new = {"name": a_name(), "value": VALUE}
    bad: list[tuple[dict[str, Any], int]] = [
        *(({**new, "value": value}, 422) for value in ("", "a", "hunter2\0", long, ["hunter2"])),
        *(({**new, "value": value}, 422) for value in (7, None, {"hunter2": 1}, "  \n ")),
        *(({**new, **more}, 422) for more in ({"id": "x"}, {"name": "a/b"}, {"more": VALUE})),
        ({**new, "name": "x" * 200}, 422),
        ({**new, "project": new_id("project")}, 404),
        ({"name": a_name()}, 422),
    ]
    before = await platform.services.log.last()
    for body, status in bad:
        answers = [await ada.call("POST", "/secrets", body)]
        if "value" in body and body["value"] != VALUE:
            given = {"value": body["value"]}
            answers.append(await ada.call("PUT", f"/secrets/{id_}/value", given))
        for answer in answers:
            assert answer.status_code == status, (body, answer.text)
            assert not shown(answer.text)
    half = b'{"name": "x", "value": "hunter2\\ud800"}'
    answer = await ada.call("POST", "/secrets", None, content=half)
    assert (answer.status_code, shown(answer.text)) == (422, False)
    broken = await ada.call("POST", "/secrets", None, content=b'{"value": "hunter2", "name')
    assert (code_of(broken, 422), shown(broken.text)) == ("invalid", False)
    assert await platform.services.log.last() == before
    assert await value_of(platform, id_) == VALUE


async def test_a_repeat_is_one_with_the_same_value_only(platform: Platform) -> None:
    ada = await a_person(platform)
    id_, name = new_id("secret"), a_name()
    body = {"id": id_, "name": name, "value": VALUE}
    first = done(await ada.call("POST", "/secrets", body))
    again = done(await ada.call("POST", "/secrets", body))
    assert (again["id"], again["repeated"]) == (id_, True)
    other = await ada.call("POST", "/secrets", {**body, "value": OTHER})
    assert code_of(other, 409) in ("id-taken", "name-taken")
    assert await value_of(platform, id_) == VALUE
    key = {"Idempotency-Key": "one"}
    path, new = f"/secrets/{id_}/value", {"value": OTHER}
    done(await ada.call("PUT", path, new, headers=key))
    assert done(await ada.call("PUT", path, new, headers=key))["repeated"]
    assert (await row(ada, id_, first["position"] + 1))["number"] == 2
    done(await ada.call("DELETE", f"/secrets/{id_}", headers=key))
    assert done(await ada.call("DELETE", f"/secrets/{id_}", headers=key))["repeated"]
    assert code_of(await ada.call("DELETE", f"/secrets/{id_}"), 409) == "conflict"
    assert code_of(await ada.call("PUT", path, new), 409) == "conflict"
    assert code_of(await ada.call("POST", f"/secrets/{id_}/restore"), 409) == "conflict"
    assert await kept(platform, id_) == []
    done(await ada.call("POST", "/secrets", {"name": (mine := a_name()), "value": VALUE}))
    stored = await platform.services.vault.after(0, 100_000)
    refused = await ada.call("POST", "/secrets", {"name": mine, "value": OTHER})
    assert code_of(refused, 409) == "name-taken"
    assert await platform.services.vault.after(0, 100_000) == stored


async def test_rotations_at_the_same_time_leave_the_value_that_the_record_names(
    platform: Platform,
) -> None:
    ada = await a_person(platform)
    id_ = await a_secret(ada)
    path, values = f"/secrets/{id_}/value", [f"hunter-{n}" for n in range(4)]
    answers = await asyncio.gather(*(ada.call("PUT", path, {"value": v}) for v in values))
    [done(answer) for answer in answers]

    secret = await recorded(platform, id_)
    assert (secret.number, [key for key, _ in await kept(platform, id_)]) == (5, [secret.key])


async def test_hidden_secrets_are_as_none_and_others_are_not_touched(platform: Platform) -> None:
    bob, eve = await a_person(platform), await a_person(platform)
    project = await a_project(platform)
    for person, role in ((bob, "contributor"), (eve, "viewer")):
        path = f"/v1/users/{person.id}/roles/{project}"
        done(await platform.http.put(path, json={"role": role}))
    id_ = await a_secret(bob, project=project)
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("PUT", "/value", {"value": OTHER}),
        ("DELETE", "", None),
        ("PATCH", "", {"name": "mine"}),
        ("PUT", "/sharing", {"visibility": "public"}),
    ]
    for verb, rest, body in calls:
        hidden = await eve.call(verb, f"/secrets/{id_}{rest}", body)
        nothing = await eve.call(verb, f"/secrets/{new_id('secret')}{rest}", body)
        assert (code_of(hidden, 404), code_of(nothing, 404)) == ("not-found", "not-found")
    shared = await bob.call("PUT", f"/secrets/{id_}/sharing", {"visibility": "project"})
    assert (await row(eve, id_, done(shared)["position"]))["name"]
    for verb, rest, body in calls[1:]:
        answer = await eve.call(verb, f"/secrets/{id_}{rest}", body)
        assert code_of(answer, 403) == "forbidden"
    other = {"name": a_name(), "value": VALUE, "project": project}
    assert code_of(await eve.call("POST", "/secrets", other), 403) == "forbidden"
    reader = await a_person(platform, scopes=["read"])
    assert code_of(await reader.call("POST", "/secrets", {**other, "project": None}), 403)
    assert await value_of(platform, id_) == VALUE


async def test_without_a_key_nothing_is_recorded(platform: Platform, tmp_path: Path) -> None:
    ada = await a_person(platform)
    vault = SecretVault(platform.services.nats, tmp_path / "no key")
    (tmp_path / "no key").write_text("nonsense")
    before = await platform.services.log.last()
    object.__setattr__(platform.services, "vault", vault)
    answer = await ada.call("POST", "/secrets", {"name": a_name(), "value": VALUE})
    assert (code_of(answer, 503), str(tmp_path) in answer.text) == ("unavailable", False)
    assert await platform.services.log.last() == before
