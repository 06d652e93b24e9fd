"""Whose bytes they are: who reads does not own, and what is damaged is healed by whoever has it."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from hansard.formats.ids import new_id
from hansard.formats.objects import Cut, File, Kind, encode_file, encode_leaf
from tests.integration.artifacts import commit, registered, some_files
from tests.integration.conftest import Servers
from tests.integration.governing import governed
from tests.integration.people import Person, a_person, code_of, done
from tests.integration.platform import Platform
from tests.integration.pushing import Pushed
from tests.integration.store_box import ask, framed, get, keep, kept, ref, send
from tests.integration.test_run_requests_http import an_attempt


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with governed(servers, tmp_path) as found:
        yield found


@pytest.fixture
async def bob(platform: Platform) -> Person:
    return await a_person(platform)


@pytest.fixture
async def eve(platform: Platform) -> Person:
    return await a_person(platform)


async def test_who_sees_a_run_cannot_make_its_bytes_their_own(
    platform: Platform, eve: Person
) -> None:
    pushed = Pushed(platform)
    await pushed.everything()
    admin = await a_person(platform, attributes={"admin": True})
    for kind, path in (("job", "executors"), ("net", "models")):
        address = f"/v1/{path}/{pushed.ids[kind]}/sharing"
        done(await platform.http.put(address, json={"visibility": "public"}))
    name = {"name": f"name {uuid4().hex[:8]}"}
    experiment = done(await admin.call("POST", "/experiments", name))["id"]
    done(await admin.call("PUT", f"/experiments/{experiment}/sharing", {"visibility": "public"}))
    asked = pushed.body(experiment=experiment)
    run = done(await admin.call("POST", "/runs", asked))["id"]
    step = Person(platform, run, await an_attempt(platform, run))
    left = done(await commit(step, None, some_files()))["id"]
    assert (await eve.call("GET", f"/artifacts/{left}/files")).status_code == 200
    model = await registered(eve, "models")
    taken = await eve.call("POST", f"/models/{model}/versions", {"artifact": left})
    assert taken.status_code == 403, taken.text
    gone = {"reason": "because"}
    assert (await eve.call("DELETE", f"/artifacts/{left}", gone)).status_code == 404
    assert (await step.call("GET", f"/artifacts/{left}/files")).status_code == 200


async def test_a_commit_does_not_tell_what_kind_of_object_others_have(
    bob: Person, eve: Person
) -> None:
    theirs = await kept(bob)
    model = await registered(eve, "models")
    names = [frame.name for frame in theirs.frames] + [uuid4().bytes * 2]
    answers = [await keep(eve, new_id("upload"), name, model) for name in names]
    assert {code_of(answer, 409) for answer in answers} == {"objects-missing"}


async def test_a_damaged_piece_makes_all_above_it_missing_until_it_is_sent_again(
    platform: Platform, bob: Person
) -> None:
    mine = await kept(bob)
    piece = mine.frames[0]
    with platform.services.artifacts.pool.connection() as connection:
        connection.execute("UPDATE object SET damaged = true WHERE name = %s", (piece.name,))
    assert (await get(bob, mine.artifact, [piece.name])).status_code == 404
    assert await ask(bob, [mine.root, piece.name]) == [False, False]
    upload = new_id("upload")
    again = await keep(bob, upload, mine.root, mine.model)
    assert code_of(again, 409) == "objects-missing"
    assert (await send(bob, upload, mine.frames)).status_code == 201
    assert (await keep(bob, upload, mine.root, mine.model)).status_code == 201
    assert (await get(bob, mine.artifact, [piece.name])).status_code == 200


async def test_bytes_that_no_version_holds_are_given_up_by_whom_they_are_of(
    bob: Person, eve: Person
) -> None:
    mine = await kept(bob)
    assert (
        await eve.call("DELETE", f"/artifacts/{mine.artifact}", {"reason": "x"})
    ).status_code == 404
    assert (await bob.call("DELETE", f"/artifacts/{mine.artifact}", {})).status_code == 422
    attached = await bob.call("DELETE", f"/artifacts/{mine.artifact}", {"reason": "x"})
    assert code_of(attached, 409) == "artifact-attached"
    model = await registered(bob, "models")
    loose = done(await commit(bob, model, some_files()))["id"]
    done(await bob.call("DELETE", f"/artifacts/{loose}", {"reason": "a mistake"}))
    assert (await bob.call("GET", f"/artifacts/{loose}/files")).status_code == 404


async def test_a_short_leaf_cannot_name_a_part_a_million_times(bob: Person) -> None:
    piece = framed(Kind.PIECE, b"a")
    parts = (ref(piece),) * 60_000
    raw = encode_leaf([encode_file(File("f", len(parts), Cut.CONTENT, parts))])
    sent = await send(bob, new_id("upload"), [piece, framed(Kind.LEAF, raw)])
    assert code_of(sent, 422) == "bad-object"
