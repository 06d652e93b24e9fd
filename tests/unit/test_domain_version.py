"""Versions and their names: content, details, deletion, quality, aliases and expectations."""

from typing import Any

import pytest

from domain.abstraction import MAX_ALIASES, Abstraction
from domain.artifact import Artifact
from domain.errors import Conflict, Invalid
from domain.run import MAX_DATASETS
from domain.version import Version
from domain.version_details import MAX_CARD_BYTES, MAX_LINKS
from hansard.formats.ids import new_id
from tests.unit.stories import a_request, emitted

PROJECT = new_id("project")
CONTENT = Artifact.commit(
    new_id("artifact"), project=PROJECT, root="a" * 64, size=1, files=1, format_="csv"
).content
SOURCE: dict[str, Any] = {"bundle": "b"}


def named(kind: str = "dataset", versions: int = 0) -> Abstraction:
    found = Abstraction.register(new_id(kind), PROJECT, "digits")
    for _ in range(versions):
        found.add_version(new_id("version"))
    found.collect_events()
    return found


def published(kind: str = "dataset", **more: Any) -> Version:
    version = Version.of(named(kind), new_id("version"), 1, content=CONTENT, **more)
    version.collect_events()
    return version


def checked(version: Version, digest: str = "a" * 64, **outcome: Any) -> None:
    version.record_check(digest, **{"results": [], "examples": {}, **outcome})


def test_a_version_belongs_where_its_abstraction_belongs() -> None:
    model = named("model")
    version = Version.of(model, new_id("version"), 1, SOURCE)
    assert (version.abstraction, version.kind, version.project) == (model.id, "model", PROJECT)
    version.archive()
    with pytest.raises(Conflict):
        version.archive()
    version.restore()
    with pytest.raises(Conflict):
        version.restore()
    assert emitted(version)[1:] == ["version.archived.v1", "version.restored.v1"]


def test_a_version_has_code_or_content() -> None:
    with pytest.raises(Invalid):
        Version.of(named(), new_id("version"), 1)
    assert Version.of(named(), new_id("version"), 1, SOURCE).code == SOURCE
    only_bytes = published()
    assert only_bytes.content == CONTENT
    with pytest.raises(Invalid, match="has no code"):
        _ = only_bytes.code


@pytest.mark.parametrize(
    "wrong",
    [
        {"root": "x"},
        {"artifact": new_id("version")},
        {"size": -1},
        {"files": None},
        {"format": "A B"},
        {"quarantined": 0},
        {"more": 1},
    ],
)
def test_content_is_what_an_artifact_says_of_itself(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Version.of(named(), new_id("version"), 1, content={**CONTENT, **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"description": 1},
        {"description": "a\0"},
        {"tags": {"a": 1}},
        {"tags": {"a b": "c"}},
        {"tags": ["a"]},
        {"card": "x" * (MAX_CARD_BYTES + 1)},
        {"card": "é" * (MAX_CARD_BYTES // 2 + 1)},
        {"card": 3},
        {"metrics": {"a": "1"}},
        {"metrics": {"a": True}},
        {"metrics": {"a": float("nan")}},
        {"metrics": {"": 1}},
        {"metrics": {str(number): number for number in range(1001)}},
        {"parameters": []},
        {"parameters": {"a": float("inf")}},
        {"parameters": {"a": "x" * 300_000}},
        {"input_schema": "int"},
        {"output_schema": [1]},
        {"environment": {"a": {1, 2}}},
        {"parents": "version"},
        {"parents": [1]},
        {"parents": [new_id("model")]},
        {"data": [new_id("version")] * 2},
        {"data": [new_id("version") for _ in range(MAX_LINKS + 1)]},
        {"mode": "link"},
        {"mode": ["copy"]},
        {"form": ""},
        {"reproducible": "yes"},
        {"owner": "me"},
    ],
)
def test_details_that_cannot_be_right_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        published(details=wrong)


def test_details_are_kept_and_those_that_are_none_left_out() -> None:
    details = {
        "card": "x" * MAX_CARD_BYTES,
        "environment": ["torch"],
        "parents": [new_id("version")],
        "mode": "reference",
        "reproducible": False,
        "form": "table",
    }
    assert published(details={**details, "description": None}).details == details


def test_only_what_changes_is_annotated() -> None:
    version = published(details={"tags": {"a": "b"}, "metrics": {"rows": 1}})
    version.annotate({"tags": {"a": "b"}, "description": "", "card": "", "parameters": {}})
    assert emitted(version) == []
    version.annotate({"tags": {"a": "b"}, "metrics": {"rows": 2}})
    (event,) = version.collect_events()
    assert vars(event)["changes"] == {"metrics": {"rows": 2}}
    assert version.details == {"tags": {"a": "b"}, "metrics": {"rows": 2}}


@pytest.mark.parametrize(
    "changes", [{"mode": "copy"}, {"parents": []}, {"tags": None}, {"card": 1}, {"x": 1}]
)
def test_what_a_version_was_made_of_cannot_be_annotated(changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        published().annotate(changes)


def test_annotations_cannot_outgrow_the_limit_together() -> None:
    version = published(details={"parameters": {"a": "x" * 200_000}})
    with pytest.raises(Invalid):
        version.annotate({"card": "x" * MAX_CARD_BYTES})


def test_a_deleted_version_keeps_its_number_and_can_do_nothing_more() -> None:
    version = published()
    with pytest.raises(Invalid):
        version.delete(" ")
    version.delete("wrong data")
    assert (version.deleted, version.archived, version.number) == (True, True, 1)
    for command in (
        version.archive,
        version.restore,
        lambda: version.annotate({"card": "x"}),
        lambda: version.delete("again"),
        lambda: version.record_profile({}, {}),
        lambda: checked(version, passed=True, blocking=True),
    ):
        with pytest.raises(Conflict) as refused:
            command()
        assert refused.value.code == "version-deleted"


def test_a_version_is_profiled_once() -> None:
    version = published()
    with pytest.raises(Invalid):
        version.record_profile({"rows": "x" * 600_000}, {})
    with pytest.raises(Invalid):
        version.record_profile({}, {"a": [float("nan")]})
    version.record_profile({}, {}, "not a table")
    with pytest.raises(Conflict):
        version.record_profile({"rows": 1}, {})


@pytest.mark.parametrize(
    ("passed", "blocking", "quality"),
    [
        (True, True, "passed"),
        (True, False, "passed"),
        (False, True, "failed"),
        (False, False, "warned"),
    ],
)
def test_only_what_fails_and_blocks_is_kept_from_runs(
    passed: bool, blocking: bool, quality: str
) -> None:
    version = published()
    checked(version, passed=passed, blocking=blocking)
    assert (version.quality, version.blocked) == (quality, quality == "failed")


def test_a_version_is_checked_again_when_the_expectations_have_changed() -> None:
    version = published()
    checked(version, passed=False, blocking=True)
    with pytest.raises(Conflict):
        checked(version, passed=True, blocking=True)
    checked(version, "b" * 64, passed=True, blocking=True)
    assert not version.blocked
    with pytest.raises(Invalid):
        checked(version, "B" * 64, passed=True, blocking=True)
    with pytest.raises(Invalid):
        checked(version, "c" * 64, passed=True, blocking=True, examples={"a": "x" * 600_000})


def test_only_datasets_are_profiled_checked_and_expected_of() -> None:
    version = published("model")
    with pytest.raises(Invalid):
        version.record_profile({}, {})
    with pytest.raises(Invalid):
        checked(version, passed=True, blocking=True)
    with pytest.raises(Invalid):
        named("model").expect("columns: {}")


def test_champion_and_challenger_are_swapped_by_one_event() -> None:
    model = named("model", versions=4)
    model.alias({"champion": 3, "challenger": 4, "old": 1})
    model.alias({"champion": 4, "challenger": 3, "old": None, "unknown": None})
    assert model.aliases == {"champion": 4, "challenger": 3}
    *_, event = model.collect_events()
    assert vars(event)["aliases"] == {"champion": 4, "challenger": 3, "old": None}
    model.alias({"champion": 4, "unknown": None})
    assert emitted(model) == []


@pytest.mark.parametrize(
    ("name", "number"),
    [
        *((name, 1) for name in ("", "latest", "Latest", "17", "a b", "a/b", "..", "x" * 65, "é")),
        *(("a", number) for number in (0, 3, -1, True, 1.0, "1")),
    ],
)
def test_a_bad_alias_moves_none_of_them(name: str, number: Any) -> None:
    dataset = named(versions=2)
    with pytest.raises(Invalid):
        dataset.alias({"good": 1, name: number})
    assert (dataset.aliases, emitted(dataset)) == ({}, [])


def test_aliases_are_limited_in_number() -> None:
    dataset = named(versions=1)
    dataset.alias({f"a{number}": 1 for number in range(MAX_ALIASES)})
    with pytest.raises(Invalid):
        dataset.alias({"one-more": 1})
    dataset.alias({"one-more": 1, "a0": None})
    assert len(dataset.aliases) == MAX_ALIASES


def test_what_is_archived_keeps_its_aliases_and_expectations() -> None:
    dataset = named(versions=1)
    dataset.archive()
    with pytest.raises(Conflict):
        dataset.alias({"gold": 1})
    with pytest.raises(Conflict):
        dataset.expect("columns: {}")


def test_expectations_are_set_changed_and_taken_away() -> None:
    dataset = named()
    dataset.expect(None)
    for text in ("a: 1", "a: 1", "a: 2", None):
        dataset.expect(text)
    assert emitted(dataset) == ["abstraction.expected.v1"] * 3
    for text in ("x" * 70_000, "a\0"):
        with pytest.raises(Invalid):
            dataset.expect(text)


def test_a_run_names_the_versions_of_datasets_it_reads() -> None:
    version = new_id("version")
    assert a_request(datasets={"train": version}).datasets == {"train": version}
    assert a_request().datasets == {}
    wrong: list[dict[str, str]] = [
        {"a/b": version},
        {"": version},
        {"train": new_id("dataset")},
        {f"d{number}": version for number in range(MAX_DATASETS + 1)},
    ]
    for datasets in wrong:
        with pytest.raises(Invalid):
            a_request(datasets=datasets)
