"""Garbage collection on a real index: what goes, what stays, whoever does what meanwhile."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hansard.formats.objects import Kind
from infra.artifacts.closure import Incomplete
from infra.artifacts.collection import (
    Limits,
    RecordBehind,
    collect,
    condemn,
)
from infra.artifacts.reading import ObjectsMissing
from infra.artifacts.roots import Roots
from tests.integration.artifact_lab import (
    AT_ONCE,
    ArtifactLab,
    artifact_lab,
    make_read_model,
    model,
    noise,
)
from tests.integration.conftest import Servers

BACKBONE = [noise(n) for n in range(4)]


@pytest.fixture
def lab(servers: Servers, tmp_path: Path) -> Iterator[ArtifactLab]:
    with artifact_lab(servers, tmp_path) as lab:
        yield lab


def test_what_no_artifact_needs_goes_and_the_rest_stays(lab: ArtifactLab) -> None:
    kept, kept_content = model(BACKBONE, noise("kept"))
    root, content = model(BACKBONE, noise("deleted"))
    lab.push(kept, kept_content)
    lab.push(root, content)
    before = lab.stored
    lab.delete(root)

    found = lab.collect()

    own = content.keys() - kept_content.keys()
    assert found.condemned == found.removed == len(own) == 4  # piece, tree, leaf, root
    assert found.freed == before - lab.stored > 20_000
    lab.read_live()
    with pytest.raises(ObjectsMissing):
        lab.read(content)
    assert lab.one("SELECT count(*) FROM ref WHERE parent = ANY(%s)", list(own)) == (0,)


def test_deleting_one_of_two_models_frees_exactly_the_head_and_says_so(lab: ArtifactLab) -> None:
    kept, kept_content = model(BACKBONE, noise("kept"))
    root, content = model(BACKBONE, noise("deleted"))
    lab.push(kept, kept_content)
    lab.push(root, content)
    make_read_model(lab)
    own = content.keys() - kept_content.keys()

    said = lab.store.exclusive_bytes(root)

    assert said == sum(len(content[name].payload) for name in own)
    lab.delete(root)
    assert lab.collect().removed_bytes == said


def test_the_last_model_of_a_backbone_frees_all_of_it(lab: ArtifactLab) -> None:
    root, content = model(BACKBONE, noise("only"))
    lab.push(root, content)
    make_read_model(lab)
    assert lab.store.exclusive_bytes(root) == sum(len(f.payload) for f in content.values())


def test_what_an_open_upload_may_commit_is_not_said_to_be_freed(lab: ArtifactLab) -> None:
    root, content = model(BACKBONE, noise("deleted"))
    lab.push(root, content)
    make_read_model(lab)
    pieces = {name: f for name, f in content.items() if f.kind is not Kind.ROOT}
    lab.send(pieces)
    assert lab.store.exclusive_bytes(root) == len(content[root].payload)


def test_bytes_of_two_artifacts_of_one_root_are_not_freed_by_deleting_one(
    lab: ArtifactLab,
) -> None:
    root, content = model(BACKBONE, noise("twice"))
    lab.push(root, content)
    make_read_model(lab)
    with lab.connection() as connection:
        connection.execute("INSERT INTO read.artifact VALUES (%s, false, 1)", (root.hex(),))
    assert lab.store.exclusive_bytes(root) == 0


def test_young_objects_and_all_they_refer_to_are_left_alone(lab: ArtifactLab) -> None:
    root, content = model(BACKBONE, noise("young"))
    lab.push(root, content)
    lab.delete(root)
    with lab.connection() as connection:  # all but the root are old
        connection.execute("UPDATE object SET since = now() - interval '2 h' WHERE kind < 3")
    assert lab.collect(replace(AT_ONCE, young_s=3600)).condemned == 0
    lab.read(content)


def test_an_open_upload_protects_what_it_sent_and_what_it_was_told_is_there(
    lab: ArtifactLab,
) -> None:
    old, old_content = model(BACKBONE, noise("old"))
    lab.push(old, old_content)
    new, content = model(BACKBONE, noise("new"))
    upload = lab.send(content)
    lab.delete(old)
    lab.collect()
    lab.commit(new, content, upload)
    lab.read_live()


def test_an_upload_that_was_left_alone_is_forgotten_with_what_it_sent(lab: ArtifactLab) -> None:
    _, content = model(BACKBONE, noise("left"))
    lab.send(content)
    assert lab.collect().condemned == 0
    with lab.connection() as connection:
        connection.execute("UPDATE upload SET touched = now() - interval '25 h'")
    found = lab.collect()
    assert found.removed == len(content)
    assert lab.stored == 0
    assert lab.one("SELECT count(*) FROM upload_object") == (0,)


def test_a_commit_of_what_was_condemned_meanwhile_is_refused_and_sending_again_heals(
    lab: ArtifactLab,
) -> None:
    old, old_content = model(BACKBONE, noise("old"))
    lab.push(old, old_content)
    new, content = model(BACKBONE, noise("new"))
    nodes = {n: f for n, f in content.items() if f.kind in (Kind.LEAF, Kind.ROOT)}
    upload = lab.send({n: f for n, f in content.items() if n not in {**old_content, **nodes}})
    shared = frozenset(content.keys() & old_content.keys())
    assert lab.store.split(upload, shared)[0] == shared  # what the client is told is there
    lab.delete(old)
    with lab.connection() as connection:  # as if that had been between the question and the row
        connection.execute("DELETE FROM upload_object WHERE name = ANY(%s)", (list(shared),))
        condemn(connection, lab.roots, AT_ONCE)
    lab.send(nodes, upload)

    with pytest.raises(Incomplete) as refused:
        lab.commit(new, content, upload, readable=shared)
    assert set(refused.value.names) <= shared
    lab.send(content, upload)
    lab.collect()
    lab.commit(new, content, upload)
    lab.collect()
    lab.read_live()


def test_a_commit_while_garbage_is_being_condemned_waits_and_then_finds_it_missing(
    lab: ArtifactLab,
) -> None:
    old, content = model(BACKBONE, noise("old"))
    lab.push(old, content)
    lab.delete(old)
    upload = "upload-late"
    outcome: list[object] = []

    def commit_late() -> None:
        try:
            lab.store.open_upload(upload, "user-1")
            lab.store.check(upload, old, lambda names: names)
            outcome.append("committed")
        except Incomplete as error:
            outcome.append(error)

    with lab.connection() as connection, connection.transaction():
        condemn(connection, lab.roots, AT_ONCE)  # holds its locks until this block ends
        late = threading.Thread(target=commit_late)
        late.start()
        late.join(0.3)
        assert outcome == []
    late.join()
    assert isinstance(outcome[0], Incomplete)


def test_condemned_objects_that_are_needed_again_come_back(lab: ArtifactLab) -> None:
    root, content = model(BACKBONE, noise("back"))
    lab.push(root, content)
    with lab.connection() as connection:
        condemn(connection, lambda: Roots(lab.position, frozenset(), frozenset({root})), AT_ONCE)
    with pytest.raises(ObjectsMissing):
        lab.read(content)
    assert lab.collect().revived == len(content)
    lab.read_live()


def test_a_dry_run_says_what_would_go_and_changes_nothing(lab: ArtifactLab) -> None:
    root, content = model(BACKBONE, noise("dry"))
    lab.push(root, content)
    lab.delete(root)
    with lab.connection() as connection:
        found = collect(lab.storage, connection, lab.roots, AT_ONCE, dry_run=True)
    assert (found.condemned, found.removed) == (len(content), 0)
    lab.read(content)


def test_a_record_that_lost_its_end_condemns_nothing(lab: ArtifactLab) -> None:
    root, content = model(BACKBONE, noise("kept"))
    lab.push(root, content)
    lab.collect()
    lab.live, lab.position = {}, 0
    with pytest.raises(RecordBehind):
        lab.collect()
    lab.read(content)


def test_a_grace_of_no_hours_keeps_nothing_but_open_uploads() -> None:
    limits = Limits.grace(0)
    assert (limits.young_s, limits.condemned_s, limits.retired_s) == (0, 0, 0)
    assert limits.upload_s == 24 * 3600
