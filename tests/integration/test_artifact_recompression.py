"""Recompression on a real index: smaller afterwards, the same content at every moment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hansard.formats.codec import Codec
from hansard.formats.objects import Kind
from infra.artifacts.adoption import adopt_unknown_packs
from infra.artifacts.recompression import best_form, loose_packs, recompress
from tests.integration.artifact_lab import ArtifactLab, Crash, Crashing, artifact_lab, model, noise
from tests.integration.conftest import Servers

_RANDOM = np.random.default_rng(7)


@pytest.fixture
def lab(servers: Servers, tmp_path: Path) -> Iterator[ArtifactLab]:
    with artifact_lab(servers, tmp_path) as lab:
        yield lab


def weights(count: int = 100_000) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    return _RANDOM.normal(0, 0.05, count).astype(np.float32)


def as_bf16(values: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> bytes:
    return (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()


def recompress_all(lab: ArtifactLab) -> None:
    with lab.connection() as connection:
        for pack in loose_packs(connection, 0):
            recompress(lab.storage, connection, pack)


@pytest.mark.parametrize(
    ("raw", "width"),
    [
        (weights().tobytes(), 4),
        (as_bf16(weights()), 2),
        (weights().astype(np.float16).tobytes(), 2),
        (weights().astype(np.float64).tobytes(), 8),
        (b"name,amount\nfoo,12\n" * 5000, 1),
        (noise("none"), None),
        (b"", None),
    ],
)
def test_the_width_of_elements_is_found_from_a_sample(raw: bytes, width: int | None) -> None:
    form = best_form(raw)
    assert (form and form[0]) == width


def test_a_pack_of_raw_weights_becomes_smaller_and_reads_back_the_same(lab: ArtifactLab) -> None:
    root, content = model([weights().tobytes(), as_bf16(weights())], b"a,b\n1,2\n" * 2000)
    lab.push(root, content)
    before = lab.stored
    recompress_all(lab)
    lab.read_live()
    with lab.connection() as connection:
        assert loose_packs(connection, 0) == []
    lab.collect()
    assert lab.stored < 0.87 * before
    assert lab.one("SELECT count(*), sum(bytes) FROM pack") == (1, lab.stored)
    codecs = lab.one("SELECT array_agg(DISTINCT codec) FROM object WHERE raw >= 4096")
    assert set(codecs[0]) == {Codec.ZSTD, Codec.PLANES}  # type: ignore[call-overload]


def test_what_cannot_become_smaller_is_tried_once_and_stays_where_it_is(lab: ArtifactLab) -> None:
    root, content = model([noise("a")], noise("b"))
    lab.push(root, content)
    before = list(lab.storage.keys("packs/"))
    recompress_all(lab)
    with lab.connection() as connection:
        assert loose_packs(connection, 0) == []
    assert list(lab.storage.keys("packs/")) == before
    lab.read_live()


def test_a_pack_that_was_just_written_is_left_alone(lab: ArtifactLab) -> None:
    lab.push(*model([weights().tobytes()], noise("b")))
    with lab.connection() as connection:
        assert loose_packs(connection, 30) == []
        assert len(loose_packs(connection, 0)) == 1


def test_an_object_that_was_moved_meanwhile_stays_where_it_went(lab: ArtifactLab) -> None:
    root, content = model([weights().tobytes()], noise("b"))
    lab.push(root, content)
    (pack,) = lab.one("SELECT id FROM pack")
    recompress_all(lab)
    (place,) = lab.one("SELECT array_agg((pack, place) ORDER BY name)::text FROM object")
    with lab.connection() as connection:
        assert recompress(lab.storage, connection, str(pack)) == 0
    assert lab.one("SELECT array_agg((pack, place) ORDER BY name)::text FROM object") == (place,)


def test_a_damaged_object_is_found_and_stays_behind(lab: ArtifactLab) -> None:
    root, content = model([weights().tobytes()], noise("b"))
    lab.push(root, content)
    piece = next(f for f in content.values() if f.kind is Kind.PIECE and f.raw > 100_000)
    lab.flip(piece.name)
    recompress_all(lab)
    assert lab.one("SELECT name FROM object WHERE damaged") == (piece.name,)
    lab.read({name: f for name, f in content.items() if name != piece.name})
    lab.send(content)
    lab.read(content)


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_while_the_new_pack_is_written_is_put_right(
    lab: ArtifactLab, *, after: bool
) -> None:
    root, content = model([weights().tobytes()], noise("b"))
    lab.push(root, content)
    with lab.connection() as connection:
        (pack,) = loose_packs(connection, 0)
        with pytest.raises(Crash):
            recompress(Crashing(lab.folder, "put", after=after), connection, pack)
    lab.read_live()
    recompress_all(lab)
    with lab.connection() as connection:
        adopt_unknown_packs(lab.storage, connection, 0)
    lab.collect()
    lab.read_live()
    assert lab.one("SELECT count(*), sum(bytes) FROM pack") == (1, lab.stored)


_RECOMPRESSING = """
import sys
from pathlib import Path
from infra.artifacts.connections import index_pool
from infra.artifacts.local_storage import LocalStorage
from infra.artifacts.recompression import loose_packs, recompress

url, folder = sys.argv[1:]
with index_pool(url).connection() as connection:
    print("started", flush=True)
    for pack in loose_packs(connection, 0):
        recompress(LocalStorage(Path(folder)), connection, pack)
"""


def test_a_recompression_that_is_killed_anywhere_loses_nothing(lab: ArtifactLab) -> None:
    for number in range(10):
        lab.push(*model([weights().tobytes()], noise(number)))
    before = lab.stored
    for number in range(5):
        command = [sys.executable, "-c", _RECOMPRESSING, lab.url, str(lab.folder)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.03 * (number + 1))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        lab.read_live()
    recompress_all(lab)
    with lab.connection() as connection:
        adopt_unknown_packs(lab.storage, connection, 0)
    lab.collect()
    lab.read_live()
    assert lab.stored < 0.9 * before
    assert lab.one("SELECT sum(bytes) FROM pack") == (lab.stored,)
