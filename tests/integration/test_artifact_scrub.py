"""Scrubbing real packs: what is damaged is found, answered as missing, and healed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hansard.formats.objects import Kind
from hansard.formats.packs import FRAME
from infra.artifacts.reading import ObjectsMissing
from infra.artifacts.receiving import pack_key
from infra.artifacts.scrub import Scrubbed, damaged_roots, scrub
from tests.integration.artifact_lab import ArtifactLab, artifact_lab, model, noise
from tests.integration.conftest import Servers


@pytest.fixture
def lab(servers: Servers, tmp_path: Path) -> Iterator[ArtifactLab]:
    with artifact_lab(servers, tmp_path) as lab:
        yield lab


def scrubbed(lab: ArtifactLab, share: float = 1.0) -> Scrubbed:
    with lab.connection() as connection:
        return scrub(lab.storage, connection, share)


def test_a_store_that_is_whole_stays_so(lab: ArtifactLab) -> None:
    root, content = model([noise(1)], noise(2))
    lab.push(root, content)
    assert scrubbed(lab) == Scrubbed(1, len(content), 0, 0)
    lab.read_live()


@pytest.mark.parametrize("offset", [0, -1, -FRAME.size])
def test_a_flipped_byte_is_found_in_the_content_and_in_the_header_before_it(
    lab: ArtifactLab, offset: int
) -> None:
    root, content = model([noise(1)], noise(2))
    lab.push(root, content)
    piece = next(f for f in content.values() if f.kind is Kind.PIECE)
    lab.flip(piece.name, offset)

    assert scrubbed(lab).damaged == 1

    with pytest.raises(ObjectsMissing) as missing:
        lab.read(content)
    assert list(missing.value.names) == [piece.name]
    with lab.connection() as connection:
        assert damaged_roots(connection) == {root: 1}
    lab.send(content)
    lab.read_live()
    assert scrubbed(lab).damaged == 0


def test_a_damaged_pack_is_healed_by_sending_the_very_same_pack_again(lab: ArtifactLab) -> None:
    root, content = model([noise(1)], noise(2))
    lab.push(root, content)
    for name in content:
        lab.flip(name)
    assert scrubbed(lab).damaged == len(content)
    lab.send(content)
    assert lab.one("SELECT count(*) FROM pack") == (1,)
    lab.read_live()
    assert scrubbed(lab).damaged == 0


def test_a_pack_that_has_gone_or_was_cut_off_is_found_and_healed(lab: ArtifactLab) -> None:
    gone, gone_content = model([noise(1)], noise(2))
    cut, cut_content = model([noise(3)], noise(4))
    lab.push(gone, gone_content)
    lab.push(cut, cut_content)
    lab.path_of(gone).unlink()
    path = lab.path_of(cut)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    assert len(gone_content) < scrubbed(lab).damaged < len(gone_content) + len(cut_content)

    lab.send(gone_content)
    lab.send(cut_content)
    lab.read_live()


def test_a_share_takes_those_first_that_were_not_verified_for_longest(lab: ArtifactLab) -> None:
    for number in range(6):
        lab.push(*model([noise(number)], noise(-number)))
    first = lab.one("SELECT array_agg(id ORDER BY verified) FROM pack")
    for _ in range(3):
        assert scrubbed(lab, 1 / 3).packs == 2
    assert lab.one("SELECT array_agg(id ORDER BY verified) FROM pack") == first


def test_a_pack_is_not_read_again_before_its_time(lab: ArtifactLab) -> None:
    lab.push(*model([noise(1)], noise(2)))
    with lab.connection() as connection:
        assert scrub(lab.storage, connection, older_than_s=3600).packs == 0


def test_a_disk_that_fails_to_answer_makes_nothing_damaged(lab: ArtifactLab) -> None:
    root, content = model([noise(1)], noise(2))
    lab.push(root, content)
    path = lab.path_of(root)
    kept = path.with_suffix(".kept")
    path.rename(kept)
    path.symlink_to(path)  # whoever opens it gets an error that is not "no such file"
    assert scrubbed(lab) == Scrubbed(1, 0, 0, 1)
    path.unlink()
    kept.rename(path)
    lab.read_live()
    assert path == lab.folder / pack_key(path.name)
