"""Lists of datasets and of versions: of their own kind, filtered by what is said, masked."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.abstraction import Abstraction
from domain.artifact import Artifact
from domain.version import Version
from hansard.formats.ids import new_id
from infra.database import Connection
from policies.access import Permit
from projections.catalogue import DATASETS, MODELS, VERSIONS
from projections.cursor import CursorSigner
from projections.page import PageRequest, Registry, read_facet, read_one, read_page
from projections.schema_check import Catalogue
from tests.integration.conftest import Servers
from tests.integration.lab import PROJECT, Lab
from tests.integration.lab import lab as open_lab
from tests.integration.test_pages import access

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HIDDEN = """
policy: hidden-examples
entity: version
actions: read
root: {combine: deny-overrides, rules: [{id: never, effect: permit, when: "False"}]}
mask: [{fields: [examples, check_examples, metrics], when: "r.obj.owner != r.sub.id"}]
"""
SORTS = {"version": "number"}
HEAVY = {
    *("card", "profile", "examples", "checks", "check_examples"),
    *("input_schema", "output_schema", "environment"),
}


@pytest.fixture
async def lab(servers: Servers) -> AsyncIterator[Lab]:
    async with open_lab(servers) as lab:
        yield lab


def published(of: Abstraction, rows: float, **more: Any) -> Version:
    artifact = Artifact.commit(
        new_id("artifact"), project=PROJECT, root="a" * 64, size=9, files=1, format_="csv", **more
    )
    id_ = new_id("version")
    details = {"metrics": {"rows": rows}, "tags": {"team": "vision"}, "parameters": {"key": "id"}}
    return Version.of(of, id_, of.add_version(id_), content=artifact.content, details=details)


def listed(
    tables: Connection, registry: Registry, *policies: str, **asked: Any
) -> list[dict[str, Any]]:
    listing = access("user-1", *policies).listing(registry.kind)
    request = PageRequest(sort=SORTS.get(registry.kind), **asked)
    return read_page(tables, registry, listing, request, CursorSigner(b"k"), NOW).items


async def test_datasets_are_listed_beside_models_and_not_among_them(lab: Lab) -> None:
    dataset, model = (Abstraction.register(new_id(k), PROJECT, "x") for k in ("dataset", "model"))
    dataset.add_version(new_id("version"))
    dataset.alias({"gold": 1})
    await lab.save(dataset, model)
    tables = lab.folded()
    (row,) = listed(tables, DATASETS)
    assert (row["id"], row["kind"], row["aliases"]) == (dataset.id, "dataset", {"gold": 1})
    assert [found["id"] for found in listed(tables, MODELS)] == [model.id]
    assert read_one(tables, DATASETS, Permit("dataset", model.id)) is None


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ("metrics.rows > 15", [2]),
        ("-1 < metrics.rows and metrics.rows <= 10", [1]),
        ("metrics.other is None", [1, 2]),
        ("'rows' in metrics", [1, 2]),
        ("params.key == 'id' and tags.team == 'vision'", [1, 2]),
        ("'gold' in aliases", [2]),
        ("quality == 'failed'", [1]),
        ("size > 8 and format == 'csv'", [1, 2]),
        ("quarantined", [2]),
        ("description == '' and mode is None", [1, 2]),
    ],
)
async def test_versions_are_filtered_by_what_is_said_of_them(
    lab: Lab, filter_: str, found: list[int]
) -> None:
    dataset = Abstraction.register(new_id("dataset"), PROJECT, "x")
    first, second = published(dataset, 10), published(dataset, 20.5, quarantined=True)
    first.record_check("a" * 64, passed=False, blocking=True, results=[], examples={})
    dataset.alias({"gold": 2})
    await lab.save(dataset, first, second)
    tables = lab.folded()
    assert [row["number"] for row in listed(tables, VERSIONS, filter=filter_)] == found


async def test_versions_are_sorted_counted_and_chosen_by_what_is_said_of_them(lab: Lab) -> None:
    dataset = Abstraction.register(new_id("dataset"), PROJECT, "x")
    versions = [published(dataset, rows) for rows in (5, 100, 20)]
    await lab.save(dataset, *versions)
    tables, listing = lab.folded(), access().listing("version")
    request = PageRequest(sort="-metrics.rows", where={"format": "csv"}, count=True)
    page = read_page(tables, VERSIONS, listing, request, CursorSigner(b"k"), NOW)
    assert ([row["metrics"]["rows"] for row in page.items], page.total) == ([100, 20, 5], 3)
    asked = {"artifact": versions[0].content["artifact"]} if versions[0].content else {}
    assert [row["number"] for row in listed(tables, VERSIONS, where=asked)] == [1]
    facet = read_facet(tables, VERSIONS, listing, PageRequest(), "format", NOW)
    assert facet == [{"value": "csv", "count": 3}]


async def test_deleted_versions_are_listed_only_where_archived_ones_are_asked_for(lab: Lab) -> None:
    dataset = Abstraction.register(new_id("dataset"), PROJECT, "x")
    gone, kept = published(dataset, 1), published(dataset, 2)
    gone.delete("wrong")
    await lab.save(dataset, gone, kept)
    tables = lab.folded()
    assert [row["number"] for row in listed(tables, VERSIONS)] == [2]
    shown = [(row["number"], row["deleted"]) for row in listed(tables, VERSIONS, archived=True)]
    assert shown == [(1, True), (2, False)]


async def test_examples_can_be_masked_and_lists_leave_out_what_is_long(lab: Lab) -> None:
    dataset = Abstraction.register(new_id("dataset"), PROJECT, "x")
    version = published(dataset, 77)
    version.record_profile({"rows": 1}, {"a": ["secret"]})
    version.record_check(
        "a" * 64, passed=False, blocking=False, results=[], examples={"a": ["secret"]}
    )
    await lab.save(dataset, version)
    tables = lab.folded()
    (row,) = listed(tables, VERSIONS, HIDDEN)
    assert not HEAVY & row.keys()
    assert (row["metrics"], "metrics" in row["masked"]) == (None, True)
    assert listed(tables, VERSIONS, HIDDEN, filter="metrics.rows == 77") == []
    hidden = frozenset({"examples", "check_examples"})
    whole = read_one(tables, VERSIONS, Permit("version", version.id, hidden))
    assert whole is not None
    assert (whole["profile"], whole["masked"]) == ({"rows": 1}, sorted(hidden))
    assert "secret" not in json.dumps(whole)


async def test_the_tables_are_what_the_schemas_say(lab: Lab) -> None:
    Catalogue().check(lab.folded())
