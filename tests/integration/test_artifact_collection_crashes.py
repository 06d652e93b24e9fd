"""Collections beside others, cut off anywhere, killed: nothing is lost and nothing stays behind."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hansard.formats.objects import Kind
from infra.artifacts.adoption import adopt_unknown_packs
from infra.artifacts.collection import Collected, condemn, remove_objects, shrink_packs
from infra.artifacts.index import Described
from infra.artifacts.receiving import pack_key, write_pack
from tests.integration.artifact_lab import (
    AT_ONCE,
    ArtifactLab,
    Crash,
    Crashing,
    artifact_lab,
    frame,
    model,
    noise,
)
from tests.integration.conftest import Servers

BACKBONE = [noise(n) for n in range(4)]


@pytest.fixture
def lab(servers: Servers, tmp_path: Path) -> Iterator[ArtifactLab]:
    with artifact_lab(servers, tmp_path) as lab:
        yield lab


def test_a_pack_that_is_sent_again_while_it_is_removed_is_there_whenever_its_object_is(
    lab: ArtifactLab,
) -> None:
    piece = frame(Kind.PIECE, noise("again"))
    stopped = threading.Event()

    def collect_always() -> None:
        while not stopped.is_set():
            lab.collect()

    collecting = threading.Thread(target=collect_always)
    collecting.start()
    seen = 0
    try:
        with lab.connection() as connection:
            for _ in range(150):
                write_pack(lab.storage, connection, [piece], lambda e: Described(e, (), None))
                with connection.transaction():  # while the row is locked nobody removes it
                    row = connection.execute("SELECT pack FROM object FOR SHARE").fetchone()
                    if row is not None:
                        seen += 1
                        assert lab.storage.size(pack_key(row[0])) > len(piece.payload)
    finally:
        stopped.set()
        collecting.join()
    assert seen > 0


def test_two_collections_at_once_do_what_one_does(lab: ArtifactLab) -> None:
    kept, kept_content = model(BACKBONE, noise("kept"))
    lab.push(kept, kept_content)
    for number in range(5):
        root, content = model(BACKBONE, noise(("deleted", number)))
        lab.push(root, content)
        lab.delete(root)
    found: list[Collected] = []
    both = [threading.Thread(target=lambda: found.append(lab.collect())) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert sorted(each.removed for each in found) == [0, 20]
    lab.read_live()


def test_a_pack_of_which_little_is_needed_becomes_smaller(lab: ArtifactLab) -> None:
    root, content = model([noise("kept")], noise("head"))
    lab.push(root, content, rubbish=10)
    before = lab.stored
    assert lab.collect().freed == before - lab.stored > 200_000
    lab.read_live()
    assert lab.one("SELECT count(*) FROM pack") == (1,)
    assert lab.collect().freed == 0


def test_a_pack_of_many_small_objects_is_not_rewritten_for_its_headers(lab: ArtifactLab) -> None:
    pieces = [bytes([n]) for n in range(200)]
    root, content = model(pieces, b"head")
    lab.push(root, content)
    with lab.connection() as connection:
        assert shrink_packs(lab.storage, connection) == 0


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("verb", ["put", "delete"])
def test_a_crash_at_any_step_of_a_collection_is_put_right_by_the_next(
    lab: ArtifactLab, verb: str, *, after: bool
) -> None:
    root, content = model([noise("kept")], noise("head"))
    lab.push(root, content, rubbish=10)
    with pytest.raises(Crash):
        lab.collect(storage=Crashing(lab.folder, verb, after=after))
    lab.read_live()
    with lab.connection() as connection:
        adopt_unknown_packs(lab.storage, connection, 0)
    lab.collect()
    lab.collect()
    lab.read_live()
    known = lab.one("SELECT count(*), sum(bytes) FROM pack")
    assert known == (1, lab.stored)


def test_objects_that_were_removed_before_a_crash_leave_no_pack_behind(lab: ArtifactLab) -> None:
    root, content = model(BACKBONE, noise("gone"))
    lab.push(root, content)
    lab.delete(root)
    with lab.connection() as connection:
        condemn(connection, lab.roots, AT_ONCE)
        remove_objects(connection, 0)
    lab.collect()
    assert lab.stored == 0


_COLLECTING = """
import sys, threading
from pathlib import Path
from infra.artifacts.collection import Limits, collect
from infra.artifacts.index import Described
from infra.artifacts.local_storage import LocalStorage
from infra.artifacts.receiving import pack_key, write_pack
from infra.artifacts.roots import Roots
from infra.artifacts.connections import index_pool

url, folder, live = sys.argv[1:]
roots = Roots(1000, frozenset(bytes.fromhex(each) for each in live.split(",")), frozenset())
limits = Limits(young_s=0, condemned_s=0, upload_s=0, committed_s=0, retired_s=0)
with index_pool(url).connection() as connection:
    print("started", flush=True)
    collect(LocalStorage(Path(folder)), connection, lambda: roots, limits)
"""


def test_a_collection_that_is_killed_anywhere_loses_nothing(lab: ArtifactLab) -> None:
    for number in range(12):
        root, content = model([noise(("kept", number))], noise(("head", number)))
        lab.push(root, content, rubbish=6)
    before = lab.stored
    live = ",".join(root.hex() for root in lab.live)
    for number in range(6):
        command = [sys.executable, "-c", _COLLECTING, lab.url, str(lab.folder), live]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        try:
            process.wait(0.02 * (number + 1))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        lab.read_live()
    lab.position = 1000
    lab.collect(replace(AT_ONCE, upload_s=0))
    with lab.connection() as connection:
        adopt_unknown_packs(lab.storage, connection, 0)
    lab.collect(replace(AT_ONCE, upload_s=0))
    lab.read_live()
    assert lab.stored < before / 2
    assert lab.one("SELECT sum(bytes) FROM pack") == (lab.stored,)
