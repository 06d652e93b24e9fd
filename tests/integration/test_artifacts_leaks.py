"""Whoever knows the names of bytes has nothing by it, nor by anything that is answered."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from hansard.formats.ids import new_id
from hansard.formats.objects import Cut, File, Kind, Ref, encode_tree
from tests.integration.artifacts import registered
from tests.integration.conftest import Servers
from tests.integration.people import Person, a_person, code_of, done
from tests.integration.platform import Platform, running
from tests.integration.store_box import (
    Made,
    ask,
    contents,
    every_door,
    framed,
    get,
    keep,
    kept,
    made,
    ref,
    send,
)


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path) as platform:
        yield platform


@pytest.fixture
async def bob(platform: Platform) -> Person:
    return await a_person(platform)


@pytest.fixture
async def eve(platform: Platform) -> Person:
    return await a_person(platform)


async def test_a_stranger_who_knows_all_names_has_nothing(bob: Person, eve: Person) -> None:
    secret = await kept(bob)
    assert not any(await ask(eve, secret.names))
    assert not any(await ask(eve, secret.names, like=secret.artifact))
    assert await every_door(eve, secret.artifact, secret.made) == {404}
    model = await registered(eve, "models")
    answer = await keep(eve, new_id("upload"), secret.root, model, like=[secret.artifact])
    assert code_of(answer, 409) == "objects-missing"
    assert answer.json()["missing"] == [secret.root.hex()]
    assert await every_door(bob, secret.artifact, secret.made) == {200, 206}


async def test_sending_what_others_have_answers_as_sending_what_nobody_has(
    bob: Person, eve: Person
) -> None:
    secret, other = await kept(bob), made()
    known = await send(eve, new_id("upload"), secret.frames)
    unknown = await send(eve, new_id("upload"), other.finished()[1])
    assert (known.status_code, unknown.status_code) == (201, 201)
    assert known.json().keys() == unknown.json().keys()
    assert known.json()["received"] == int(known.request.headers["Content-Length"])


async def test_naming_an_unseen_object_below_ones_own_is_refused(bob: Person, eve: Person) -> None:
    """A root, leaf and tree of one's own around a piece that somebody else has."""
    secret = await kept(bob)
    piece = secret.frames[0]
    own = Made()
    tree = framed(Kind.TREE, encode_tree([ref(piece)]))
    own.frames.append(tree)
    own.files["a"] = bytes(piece.content())
    file = File("a", piece.raw, Cut.CONTENT, (ref(tree, piece.raw),))
    own.records.append(file)
    root, frames = own.finished()
    upload = new_id("upload")
    done(await send(eve, upload, frames))
    answer = await keep(eve, upload, root, await registered(eve, "models"))
    assert code_of(answer, 409) == "objects-missing"
    assert answer.json()["missing"] == [piece.name.hex()]


async def test_a_wrong_word_of_unseen_objects_does_not_tell_which_there_are(
    bob: Person, eve: Person
) -> None:
    secret = await kept(bob)
    there, nowhere = secret.frames[0], framed(Kind.PIECE, uuid4().bytes)
    own = Made().add("a", b"a")
    parts = (ref(there), ref(nowhere), Ref(Kind.PIECE, secret.frames[1].name, 5))
    size = sum(part.size for part in parts)
    own.records.append(File("b", size, Cut.CONTENT, parts))
    root, frames = own.finished(size=size + 1, files=2)
    upload = new_id("upload")
    done(await send(eve, upload, frames))
    answer = await keep(eve, upload, root, await registered(eve, "models"))
    assert code_of(answer, 409) == "objects-missing"
    assert sorted(answer.json()["missing"]) == sorted(part.name.hex() for part in parts)


async def test_a_share_opens_bytes_and_its_end_closes_them_at_once(
    bob: Person, eve: Person
) -> None:
    shared = await kept(bob)
    await shared.share(users=[eve.id])
    upload, model = new_id("upload"), await registered(eve, "models")
    assert await every_door(eve, shared.artifact, shared.made) == {200, 206}
    assert all(await ask(eve, shared.names, upload=upload, like=shared.artifact))
    await shared.share()
    assert await every_door(eve, shared.artifact, shared.made) == {404}
    assert not any(await ask(eve, shared.names, upload=upload, like=shared.artifact))
    answer = await keep(eve, upload, shared.root, model, like=[shared.artifact])
    assert code_of(answer, 409) == "objects-missing"


async def test_what_may_be_read_is_committed_without_being_sent(bob: Person, eve: Person) -> None:
    shared = await kept(bob)
    await shared.share(users=[eve.id])
    model = await registered(eve, "models")
    own = done(await keep(eve, new_id("upload"), shared.root, model, like=[shared.artifact]))["id"]
    await shared.share()
    assert await every_door(eve, own, shared.made) == {200, 206}
    assert await every_door(eve, shared.artifact, shared.made) == {404}


async def test_only_names_below_the_artifact_are_answered(bob: Person) -> None:
    one, other = await kept(bob), await kept(bob)
    assert code_of(await get(bob, one.artifact, [one.names[0], other.names[0]]), 404) == "not-found"
    assert code_of(await get(bob, one.artifact, [bytes(32)]), 404) == "not-found"
    found = contents(await get(bob, one.artifact, one.names))
    assert sorted(found) == sorted(bytes(frame.content()) for frame in one.frames)


@pytest.mark.parametrize("body", [b"", b"x", b"x" * 31, b"x" * 33])
async def test_what_is_no_list_of_names_is_refused(bob: Person, body: bytes) -> None:
    one = await kept(bob)
    assert code_of(await get(bob, one.artifact, [body]), 422) == "invalid"


@pytest.mark.parametrize(
    "id_", ["artifact-x", "artifact-*", "artifact->", "artifact", "artifact-a.b", "run-x", "%20"]
)
async def test_what_is_no_artifact_is_not_found(bob: Person, id_: str) -> None:
    for path in ("layout", "files", "files/a"):
        assert code_of(await bob.call("GET", f"/artifacts/{id_}/{path}"), 404) == "not-found"
    assert await ask(bob, [bytes(32)], like=id_) == [False]


async def test_somebody_elses_upload_is_not_found(bob: Person, eve: Person) -> None:
    content = made()
    root, frames = content.finished()
    upload = new_id("upload")
    done(await send(bob, upload, frames))
    assert code_of(await send(eve, upload, frames), 404) == "not-found"
    headers = {"Authorization": f"Bearer {eve.token}"}
    path = f"/v1/uploads/{upload}/missing"
    answer = await eve.http.post(path, content=root, headers=headers)
    assert code_of(answer, 404) == "not-found"
    model = await registered(eve, "models")
    assert code_of(await keep(eve, upload, root, model), 404) == "not-found"
    assert not any(await ask(eve, [frame.name for frame in frames]))


async def test_bytes_go_only_where_the_caller_may_publish(bob: Person, eve: Person) -> None:
    root, frames = made().finished()
    upload = new_id("upload")
    done(await send(eve, upload, frames))
    hidden = await registered(bob, "models")
    assert code_of(await keep(eve, upload, root, hidden), 404) == "not-found"
    public = await registered(bob, "models", visibility="public")
    assert code_of(await keep(eve, upload, root, public), 403) == "forbidden"
    for nowhere in (None, new_id("run"), "x"):
        assert code_of(await keep(eve, upload, root, nowhere), 422) == "invalid"
