"""The tables of artifacts, versions and datasets: at once, in pieces and twice, they are alike."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.abstraction import Abstraction
from domain.artifact import Artifact
from domain.run import Run
from domain.version import Version
from hansard.formats.ids import new_id
from infra.database import Connection
from infra.event_store import Session
from policies.kinds import SCHEMAS
from policies.schema import Attribute, Column
from projections.access.facts import facts_of
from tests.integration.conftest import Servers
from tests.integration.lab import CONTEXT, PROJECT, Lab
from tests.integration.lab import lab as open_lab
from tests.integration.test_subject_folding import folded, one
from tests.unit.stories import SOURCE, a_request

NOW = datetime(2030, 1, 1, tzinfo=UTC)
RUN = new_id("run")

Shown = tuple[Any, ...]


@pytest.fixture
async def lab(servers: Servers) -> AsyncIterator[Lab]:
    async with open_lab(servers) as lab:
        yield lab


def an_artifact(**more: Any) -> Artifact:
    return Artifact.commit(
        new_id("artifact"),
        project=PROJECT,
        root="a" * 64,
        size=2**40,
        files=3,
        format_="parquet",
        **more,
    )


def a_dataset() -> Abstraction:
    return Abstraction.register(new_id("dataset"), PROJECT, "digits")


def next_version(of: Abstraction, **more: Any) -> Version:
    id_ = new_id("version")
    return Version.of(of, id_, of.add_version(id_), **{"source": SOURCE, **more})


def aliases(tables: Connection, *versions: Version) -> list[list[str]]:
    return [one(tables, "aliases", "version", version.id)[0] for version in versions]


async def test_an_artifact_is_shown_with_what_keeps_it(lab: Lab) -> None:
    artifact, loose = an_artifact(run=RUN), an_artifact(quarantined=True)
    version = new_id("version")
    artifact.attach(version)
    artifact.hold("an audit")
    artifact.retain(NOW)
    await lab.save(artifact, loose)
    columns = "version, hold, retained_until, deleted"
    tables = await folded(lab)
    assert one(tables, columns, "artifact", artifact.id) == (version, "an audit", NOW, False)
    assert one(tables, columns, "artifact", loose.id) == (None, None, None, False)
    columns_too = "project, root, size, files, format, run, quarantined, created_by"
    seen = (PROJECT, "a" * 64, 2**40, 3, "parquet", RUN, False, "user-1")
    assert one(tables, columns_too, "artifact", artifact.id) == seen
    artifact.release("over")
    artifact.delete("old", NOW + timedelta(days=1))
    await lab.save(artifact)
    tables = await folded(lab)
    assert one(tables, columns, "artifact", artifact.id) == (version, None, NOW, True)


async def test_a_version_shows_its_content_and_what_is_said_of_it(lab: Lab) -> None:
    dataset, artifact, parent = a_dataset(), an_artifact(quarantined=True), new_id("version")
    details = {
        "tags": {"a": "b"},
        "metrics": {"rows": 10.5},
        "parents": [parent],
        "input_schema": {"type": "object"},
        "mode": "copy",
        "reproducible": True,
        "form": "table",
    }
    full = next_version(dataset, source=None, content=artifact.content, details=details)
    bare = next_version(dataset)
    full.annotate({"card": "# Digits", "tags": {"c": "d"}})
    await lab.save(dataset, full, bare)
    tables = await folded(lab)
    columns = "source, content, artifact, format, size, quarantined, tags, metrics, parameters"
    content = artifact.content
    seen: Shown = (
        None,
        content,
        artifact.id,
        "parquet",
        2**40,
        True,
        {"c": "d"},
        {"rows": 10.5},
        {},
    )
    assert one(tables, columns, "version", full.id) == seen
    unsaid: Shown = (SOURCE, None, None, None, None, False, {}, {}, {})
    assert one(tables, columns, "version", bare.id) == unsaid
    columns = "description, card, parents, data, input_schema, mode, form, reproducible, deleted"
    seen_too: Shown = (
        "",
        "# Digits",
        [parent],
        [],
        {"type": "object"},
        "copy",
        "table",
        True,
        False,
    )
    assert one(tables, columns, "version", full.id) == seen_too
    nothing: Shown = ("", None, [], [], None, None, None, None, False)
    assert one(tables, columns, "version", bare.id) == nothing


async def test_a_deleted_version_is_archived_with_its_reason(lab: Lab) -> None:
    dataset = a_dataset()
    version = next_version(dataset, details={"description": "kept"})
    await lab.save(dataset, version)
    version.delete("wrong data")
    await lab.save(version)
    columns = "archived, deleted, deleted_reason, number, description"
    seen = (True, True, "wrong data", 1, "kept")
    assert one(await folded(lab), columns, "version", version.id) == seen


async def test_a_dataset_shows_what_was_measured_and_the_last_check(lab: Lab) -> None:
    dataset = a_dataset()
    dataset.expect("columns: {}")
    version, broken = next_version(dataset), next_version(dataset)
    version.record_profile({"rows": 1}, {"a": [1]})
    broken.record_profile({}, {}, "not a table")
    version.record_check("a" * 64, passed=False, blocking=True, results=[], examples={"a": [1]})
    await lab.save(dataset, version, broken)
    columns = "profile, profile_error, examples, quality, checks, check_examples"
    tables = await folded(lab)
    seen: Shown = ({"rows": 1}, None, {"a": [1]}, "failed", [], {"a": [1]})
    assert one(tables, columns, "version", version.id) == seen
    assert one(tables, columns, "version", broken.id) == ({}, "not a table", {}, None, None, None)
    assert one(tables, "expectations", "abstraction", dataset.id) == ("columns: {}",)
    results = [{"check": "unique", "failed": 2}]
    version.record_check("b" * 64, passed=False, blocking=False, results=results, examples={})
    dataset.expect(None)
    await lab.save(dataset, version)
    tables = await folded(lab)
    again: Shown = ({"rows": 1}, None, {"a": [1]}, "warned", results, {})
    assert one(tables, columns, "version", version.id) == again
    assert one(tables, "expectations", "abstraction", dataset.id) == (None,)


async def test_versions_carry_the_aliases_that_mean_them(lab: Lab) -> None:
    dataset, other = a_dataset(), a_dataset()
    first, second, elsewhere = next_version(dataset), next_version(dataset), next_version(other)
    dataset.alias({"champion": 1, "b": 1, "A": 1, "challenger": 2})
    await lab.save(dataset, other, first, elsewhere)
    await lab.save(second)  # born after the alias
    tables = await folded(lab)
    assert aliases(tables, first, second, elsewhere) == [["A", "b", "champion"], ["challenger"], []]
    dataset.alias({"champion": 2, "challenger": 1, "A": None, "b": None})
    await lab.save(dataset)
    tables = await folded(lab)
    assert aliases(tables, first, second, elsewhere) == [["challenger"], ["champion"], []]
    (shown,) = one(tables, "aliases", "abstraction", dataset.id)
    assert shown == {"champion": 2, "challenger": 1}
    dataset.alias({"champion": None, "challenger": None})
    await lab.save(dataset)
    assert aliases(await folded(lab), first, second, elsewhere) == [[], [], []]


async def test_a_run_shows_the_datasets_it_reads(lab: Lab) -> None:
    version = new_id("version")
    reading: Run = a_request(datasets={"train": version})
    await lab.save(reading)
    assert one(await folded(lab), "datasets", "run", reading.id) == ({"train": version},)


async def test_a_single_decision_is_made_on_the_same_facts_as_a_list(lab: Lab) -> None:
    dataset, artifact = a_dataset(), an_artifact(quarantined=True)
    full, bare = next_version(dataset, content=artifact.content), next_version(dataset)
    full.delete("wrong data")
    await lab.save(dataset, full, bare)
    tables = await folded(lab)
    attributes = SCHEMAS["version"].attributes
    for version in (full, bare):
        row = one(tables, ", ".join(_columns(attributes)), "version", version.id)
        values = [frozenset(v) if isinstance(v, list) else v for v in row]
        session = Session(lab.log, CONTEXT)
        found = await facts_of(session, await session.load(Version, version.id))
        assert found == dict(zip(attributes, values, strict=True))


def _columns(attributes: Mapping[str, Attribute]) -> list[str]:
    return [source.name for a in attributes.values() if isinstance(source := a.source, Column)]
