"""What is sent is what it says it is, or refused; what is asked for is answered exactly."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import zstandard

from api.ask_limits import BURST_BYTES, BYTES_A_SECOND, AskLimits
from domain.errors import DomainError
from hansard.formats.codec import Codec
from hansard.formats.ids import new_id
from hansard.formats.objects import (
    Cut,
    File,
    Kind,
    Ref,
    encode_tree,
    name_of,
)
from hansard.formats.packs import FRAME, Frame
from tests.integration.artifacts import registered
from tests.integration.conftest import Servers
from tests.integration.people import Person, a_person, code_of, done
from tests.integration.platform import Platform, running
from tests.integration.pushing import kept_files
from tests.integration.store_box import (
    Made,
    ask,
    asked_for,
    framed,
    keep,
    ref,
    send,
    wire,
)


@pytest.fixture
async def platform(servers: Servers, tmp_path: Path) -> AsyncIterator[Platform]:
    async with running(servers, tmp_path) as platform:
        yield platform


@pytest.fixture
async def bob(platform: Platform) -> Person:
    return await a_person(platform)


def text(lines: int = 20) -> bytes:
    return "".join(f"{n},{uuid4().hex}\n" for n in range(lines)).encode()


RAW = text()
GOOD = framed(Kind.PIECE, RAW)
BOMB = zstandard.ZstdCompressor().compress(bytes(1 << 30))
DAMAGED = bytes(GOOD.payload[:-9]) + bytes(9)


def changed(**lies: Any) -> Frame:
    """A good frame with one lie, or several."""
    good = {name: getattr(GOOD, name) for name in ("name", "kind", "codec", "raw", "payload")}
    return Frame(**{**good, **lies})


LIES = {
    "name": changed(name=bytes(32)),
    "damaged": changed(payload=DAMAGED),
    "shorter": changed(raw=GOOD.raw - 1),
    "longer": changed(raw=GOOD.raw + 1),
    "codec": changed(codec=Codec.RAW),
    "unknown codec": changed(codec=9),
    "kind": changed(kind=Kind.TREE),
    "extra": changed(payload=bytes(GOOD.payload) + b"x"),
    "bomb": changed(codec=Codec.ZSTD, raw=4 << 20, payload=BOMB),
    "no tree": Frame(name_of(Kind.TREE, RAW), Kind.TREE, Codec.RAW, len(RAW), RAW),
    "no leaf": Frame(name_of(Kind.LEAF, b"HLF1"), Kind.LEAF, Codec.RAW, 4, b"HLF1"),
}


async def test_a_frame_that_lies_is_refused_with_all_that_came_with_it(
    platform: Platform, bob: Person
) -> None:
    before, upload = kept_files(platform), new_id("upload")
    for lie, frame in LIES.items():
        honest = framed(Kind.PIECE, text())
        answer = await send(bob, upload, [honest, frame])
        assert code_of(answer, 422) == "bad-object", lie
        assert await ask(bob, [honest.name], upload=upload) == [False], lie
    assert kept_files(platform) == before


async def test_what_are_no_frames_is_refused(bob: Person) -> None:
    headers = [(9, 0, 1, 1), (0, 0, 2**32 - 1, 1), (0, 0, 1, 2**32 - 1), (0, 0, 2, 1)]
    for body in (b"", b"x", *(FRAME.pack(bytes(32), *each) + b"x" for each in headers)):
        assert code_of(await send(bob, new_id("upload"), body), 422) == "bad-object", body


async def test_a_small_request_cannot_unfold_into_a_large_one(bob: Person) -> None:
    frames = [framed(Kind.PIECE, bytes([n]) * (8 << 20)) for n in range(9)]
    assert len(wire(frames)) < 1 << 20
    answer = await send(bob, new_id("upload"), frames)
    assert code_of(answer, 422) == "bad-object"


async def test_an_upload_has_an_id_of_its_kind(bob: Person) -> None:
    for id_ in ("x", "upload-1", new_id("run"), "upload-*"):
        assert code_of(await send(bob, id_, [framed(Kind.PIECE, b"x")]), 422) == "invalid"


async def refused(bob: Person, root: bytes, frames: list[Frame]) -> tuple[str, str]:
    """The code and the words with which an artifact is refused, when it is sent or committed."""
    upload, model = new_id("upload"), await registered(bob, "models")
    answer = await send(bob, upload, frames)
    if answer.status_code == 201:
        answer = await keep(bob, upload, root, model)
    return code_of(answer, 422), answer.json()["detail"]


def of_one_file(body: tuple[Ref, ...], *frames: Frame) -> tuple[bytes, list[Frame]]:
    """A root over one file with this body."""
    made, size = Made(), sum(part.size for part in body)
    made.frames += frames
    made.records.append(File("a", size, Cut.CONTENT, body))
    return made.finished(size=size, files=1)


def of_path(path: str) -> tuple[bytes, list[Frame]]:
    """A good artifact with one file of this path."""
    return Made().add(path, text()).finished()


def wrong() -> Iterator[tuple[str, Callable[[], tuple[bytes, list[Frame]]]]]:
    """Artifacts that say something that is not so."""
    piece = framed(Kind.PIECE, text())
    tree = framed(Kind.TREE, encode_tree([ref(piece)]))
    yield "size", lambda: Made().add("a", text()).finished(size=1)
    yield "files", lambda: Made().add("a", text()).finished(files=2)
    yield "a piece's size", lambda: of_one_file((ref(piece, 5),), piece)
    yield "a piece as tree", lambda: of_one_file((Ref(Kind.TREE, piece.name, piece.raw),), piece)
    yield "a tree as piece", lambda: of_one_file((Ref(Kind.PIECE, tree.name, 40),), tree, piece)
    yield "a tree's size", lambda: of_one_file((ref(tree, 7),), tree, piece)
    yield "one piece in two sizes", lambda: of_one_file((ref(piece), ref(piece, 5)), piece)
    yield "the other order", lambda: of_one_file((ref(piece, 5), ref(piece)), piece)
    inner = framed(Kind.TREE, encode_tree([ref(piece), ref(piece, 9)]))
    yield "two sizes in a tree", lambda: of_one_file((ref(inner, piece.raw + 9),), inner, piece)
    yield "a leaf as root", lambda: (piece.name, [piece])
    for path in ("../a", "/a", "a/../b", "C:/a", "a\\b", "a\nb", "e\u0301"):
        yield f"path {path!r}", partial(of_path, path)
    yield "two cases", lambda: Made().add("A", text()).add("a", text()).finished()


async def test_an_artifact_that_is_not_what_it_says_is_refused(
    platform: Platform, bob: Person
) -> None:
    before = await platform.services.log.last()
    assert before is not None
    for case, make in wrong():
        code, detail = await refused(bob, *make())
        assert (case, code) == (case, "bad-object")
        assert detail
    topics = [m.topic for m in await platform.services.log.read_after(before.position, 1000)]
    assert "artifact.committed.v1" not in topics


async def test_leaves_out_of_order_or_twice_are_refused(bob: Person) -> None:
    first, second = Made().add("b", text()), Made().add("a", text())
    leaves = (ref(first.leaf()), ref(second.leaf()))
    size = sum(len(each) for made in (first, second) for each in made.files.values())
    for order in (leaves, (leaves[0], leaves[0])):
        whole = size if order[0] != order[1] else 2 * len(first.files["b"])
        root, frames = first.finished(leaves=order, files=2, size=whole)
        frames += [*second.frames, second.leaf()]
        assert (await refused(bob, root, frames))[0] == "bad-object"


async def test_a_leaf_named_a_hundred_thousand_times_is_refused_at_once(bob: Person) -> None:
    made = Made()
    for number in range(5000):
        made.records.append(File(f"{number:05}", 0, Cut.FIXED, ()))
    root, frames = made.finished(leaves=(ref(made.leaf()),) * 100_000, files=1, size=0)
    answer = await asyncio.wait_for(refused(bob, root, frames), 20)
    assert answer[0] == "bad-object"


async def test_what_was_not_sent_is_named_and_then_accepted(bob: Person) -> None:
    made = Made().add("a.csv", text(), text(), text(), text(), tree=True)
    root, frames = made.finished()
    upload, model = new_id("upload"), await registered(bob, "models")
    left_out = frames[2]
    done(await send(bob, upload, [each for each in frames if each is not left_out]))
    answer = await keep(bob, upload, root, model)
    assert code_of(answer, 409) == "objects-missing"
    assert answer.json()["missing"] == [left_out.name.hex()]
    done(await send(bob, upload, [left_out]))
    done(await keep(bob, upload, root, model))


async def test_a_commit_that_is_repeated_is_the_same_success(bob: Person) -> None:
    root, frames = Made().add("a.csv", text()).finished()
    upload, model = new_id("upload"), await registered(bob, "models")
    done(await send(bob, upload, frames))
    id_ = new_id("artifact")
    first = done(await keep(bob, upload, root, model, id=id_))
    again = done(await keep(bob, upload, root, model, id=id_))
    assert again == {"id": id_, "position": first["position"], "repeated": True}
    other, more = Made().add("a.csv", text()).finished()
    done(await send(bob, upload, more))
    assert code_of(await keep(bob, upload, other, model, id=id_), 409) == "id-taken"


async def test_questions_and_packs_have_a_size_that_they_may_not_exceed(bob: Person) -> None:
    assert code_of(await asked_for(bob, b""), 422) == "invalid"
    assert code_of(await asked_for(bob, bytes(33)), 422) == "invalid"
    assert (await asked_for(bob, bytes(32 * 65_536))).status_code == 200
    assert code_of(await asked_for(bob, bytes(32 * 65_537)), 413) == "too-large"
    assert code_of(await send(bob, new_id("upload"), bytes((64 << 20) + 1)), 413) == "too-large"


@pytest.mark.parametrize("streamed", [False, True], ids=["at once", "streamed"])
async def test_who_asks_for_too_many_names_must_wait(
    platform: Platform, bob: Person, monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    monkeypatch.setattr(platform.services.ask_limits, "_clock", lambda: 100.0)

    async def in_chunks() -> AsyncIterator[bytes]:
        yield bytes(1 << 20)
        yield bytes(1 << 20)

    platform.services.ask_limits.spend(bob.id, BURST_BYTES - (1 << 20))
    answer = await asked_for(bob, in_chunks() if streamed else bytes(2 << 20))
    assert answer.status_code == 429
    assert code_of(answer, 429) == "too-many"
    assert int(answer.headers["Retry-After"]) >= 1
    eve = await a_person(platform)
    assert (await asked_for(eve, bytes(2 << 20))).status_code == 200


def test_a_limit_fills_up_again_with_time() -> None:
    now = 100.0
    limits = AskLimits(lambda: now)
    limits.spend("bob", BURST_BYTES)
    with pytest.raises(DomainError) as found:
        limits.spend("bob", 3 * BYTES_A_SECOND)
    assert found.value.context["retry_after_s"] == 3
    now += 3
    limits.spend("bob", 3 * BYTES_A_SECOND)
    with pytest.raises(DomainError):
        limits.spend("bob", 1)
    limits.spend("eve", BURST_BYTES)
