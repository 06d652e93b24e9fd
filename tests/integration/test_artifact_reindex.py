"""The index from the packs alone: equal to the live one, and put right where it was not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hansard.formats.objects import Kind
from infra.artifacts.adoption import adopt_unknown_packs
from infra.artifacts.reading import ObjectsMissing
from infra.artifacts.recompression import loose_packs, recompress
from infra.artifacts.reindex import BESIDE, reindex
from tests.integration.artifact_lab import ArtifactLab, Crash, Crashing, artifact_lab, model, noise
from tests.integration.conftest import Servers

TABLE = "array_agg((name, kind, codec, raw, span, stored, pack, place)::text ORDER BY name)"
INDEX = f"SELECT (SELECT {TABLE} FROM object), (SELECT array_agg(ref ORDER BY ref)::text FROM ref)"


@pytest.fixture
def lab(servers: Servers, tmp_path: Path) -> Iterator[ArtifactLab]:
    with artifact_lab(servers, tmp_path) as lab:
        for number in range(3):
            lab.push(*model([noise(1), b"text" * 5000], noise(("head", number))))
        yield lab


def lose_the_index(lab: ArtifactLab) -> None:
    with lab.connection() as connection:
        connection.execute("TRUNCATE object, ref, pack, upload, upload_object")


def test_an_index_built_from_the_packs_equals_the_live_one(lab: ArtifactLab) -> None:
    with lab.connection() as connection:
        for pack in loose_packs(connection, 0)[:1]:
            recompress(lab.storage, connection, pack)
    before = lab.one(INDEX)
    told: list[tuple[int, int]] = []
    found = reindex(lab.storage, lab.url, lambda done, of: told.append((done, of)))
    assert found.equal
    assert found.unindexed == 0
    assert lab.one(INDEX) == before
    assert told[-1] == (4, 4)
    assert lab.one("SELECT to_regnamespace(%s)", BESIDE) == (None,)


def test_a_lost_index_comes_back_whole(lab: ArtifactLab) -> None:
    before = lab.one(INDEX)
    lose_the_index(lab)
    found = reindex(lab.storage, lab.url)
    assert found.unindexed == found.objects > 0
    assert lab.one(INDEX) == before
    lab.read_live()


def test_rows_that_are_wrong_are_put_right(lab: ArtifactLab) -> None:
    before = lab.one(INDEX)
    with lab.connection() as connection:
        connection.execute("UPDATE object SET place = place + 1 WHERE kind = 0")
        connection.execute("UPDATE object SET span = 1 WHERE kind = 1")
        connection.execute("DELETE FROM ref WHERE size = %s", (20_000,))
        connection.execute("DELETE FROM object WHERE kind = 3")
    found = reindex(lab.storage, lab.url)
    assert not found.equal
    assert (found.unfound, found.misplaced, found.unindexed) == (0, 5, 3)
    assert found.differing == 7  # the trees, and the leaves that refer to a head
    assert lab.one(INDEX) == before
    lab.read_live()


def test_what_lies_in_no_pack_is_answered_as_missing(lab: ArtifactLab) -> None:
    root = next(iter(lab.live))
    own = lab.one("SELECT count(*) FROM object WHERE pack = %s", lab.path_of(root).name)
    lab.path_of(root).unlink()
    found = reindex(lab.storage, lab.url)
    assert (found.unfound, found.equal) == (own[0], False)
    with pytest.raises(ObjectsMissing):
        lab.read(lab.live[root])
    for content in lab.live.values():
        lab.send(content)
    lab.read_live()


def test_a_pack_with_a_damaged_footer_is_found_by_its_frames(lab: ArtifactLab) -> None:
    path = lab.path_of(next(iter(lab.live)))
    data = bytearray(path.read_bytes())
    data[-60] ^= 1
    path.write_bytes(data)
    before = lab.one(INDEX)
    lose_the_index(lab)
    reindex(lab.storage, lab.url)
    assert lab.one(INDEX) == before


def test_of_a_pack_that_was_cut_off_the_whole_frames_are_found(lab: ArtifactLab) -> None:
    root, content = next(iter(lab.live.items()))
    (last,) = lab.one("SELECT max(place) FROM object WHERE pack = %s", lab.path_of(root).name)
    assert isinstance(last, int)
    path = lab.path_of(root)
    path.write_bytes(path.read_bytes()[: last + 1])
    lose_the_index(lab)
    reindex(lab.storage, lab.url)
    assert lab.one("SELECT count(*) FROM object WHERE pack = %s", path.name) == (len(content) - 1,)
    lab.send(content)
    lab.read_live()


def test_a_frame_that_was_flipped_in_a_pack_without_a_footer_is_left_out(
    lab: ArtifactLab,
) -> None:
    root, content = next(iter(lab.live.items()))
    piece = next(f for f in content.values() if f.kind is Kind.PIECE)
    lab.flip(piece.name)
    path = lab.path_of(root)
    path.write_bytes(path.read_bytes()[:-10])
    lose_the_index(lab)
    reindex(lab.storage, lab.url)
    assert lab.one("SELECT count(*) FROM object WHERE name = %s", piece.name) == (0,)


@pytest.mark.parametrize("after", [False, True])
def test_a_pack_that_was_stored_but_never_entered_is_adopted(
    lab: ArtifactLab, *, after: bool
) -> None:
    root, content = model([noise("new")], noise("crash"))
    lab.store.storage = Crashing(lab.folder, "put", after=after)
    with pytest.raises(Crash):
        lab.send(content)
    lab.store.storage = lab.storage
    with lab.connection() as connection:
        assert adopt_unknown_packs(lab.storage, connection, 3600) == 0  # may be on its way
        assert adopt_unknown_packs(lab.storage, connection, 0) == int(after)
        assert adopt_unknown_packs(lab.storage, connection, 0) == 0
    lab.push(root, content)
    lab.read_live()
    assert lab.one("SELECT sum(bytes) FROM pack") == (lab.stored,)


def test_other_files_in_the_storage_are_nobody_s_packs(lab: ArtifactLab) -> None:
    lab.storage.put("packs/ab/readme", [b"hello"])
    lab.storage.put(f"packs/00/{'1' * 64}", [b"wrong folder"])
    with lab.connection() as connection:
        assert adopt_unknown_packs(lab.storage, connection, 0) == 0
    assert reindex(lab.storage, lab.url).equal
