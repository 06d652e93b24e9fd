"""Artifacts: what may be recorded of bytes, whom they belong to, and what keeps them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.artifact import Artifact
from domain.errors import Conflict, Invalid
from hansard.formats.ids import new_id
from tests.unit.stories import emitted

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)

Command = Callable[[Artifact], object]


def committed(**changed: Any) -> Artifact:
    asked: dict[str, Any] = {
        "project": new_id("project"),
        "root": "a" * 64,
        "size": 12,
        "files": 2,
        "format_": "safetensors",
    }
    return Artifact.commit(changed.pop("id_", new_id("artifact")), **{**asked, **changed})


def refused(artifact: Artifact, command: Command) -> str:
    """The code of the conflict."""
    with pytest.raises(Conflict) as found:
        command(artifact)
    return found.value.code


@pytest.mark.parametrize(
    "wrong",
    [
        {"id_": new_id("version")},
        {"project": "project-1"},
        {"root": "A" * 64},
        {"root": "a" * 63},
        {"size": -1},
        {"size": 2**63},
        {"size": True},
        {"files": 1.0},
        {"format_": ""},
        {"format_": "../etc"},
        {"format_": "a" * 65},
        {"run": new_id("artifact")},
    ],
)
def test_what_cannot_be_bytes_of_the_store_is_not_recorded(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        committed(**wrong)


def test_bytes_belong_to_one_version() -> None:
    artifact, version = committed(), new_id("version")
    artifact.attach(version)
    artifact.attach(version)
    assert artifact.attached_to == version
    assert emitted(artifact) == ["artifact.committed.v1", "artifact.attached.v1"]
    assert refused(artifact, lambda a: a.attach(new_id("version"))) == "artifact-attached"


def test_bytes_that_are_held_stay_until_they_are_released() -> None:
    artifact = committed()
    with pytest.raises(Conflict):
        artifact.release("nothing to release")
    artifact.hold("an audit")
    assert artifact.held == "an audit"
    commands: list[Command] = [lambda a: a.hold("again"), lambda a: a.delete("old", NOW)]
    for command in commands:
        assert refused(artifact, command) == "held"
    artifact.release("over")
    artifact.delete("old", NOW)
    assert artifact.deleted


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_holding_releasing_and_deleting_need_a_reason(reason: str) -> None:
    artifact = committed()
    with pytest.raises(Invalid):
        artifact.hold(reason)
    with pytest.raises(Invalid):
        artifact.delete(reason, NOW)
    artifact.hold("an audit")
    with pytest.raises(Invalid):
        artifact.release(reason)


def test_bytes_are_kept_longer_but_never_shorter() -> None:
    artifact = committed()
    artifact.retain(None)
    artifact.retain(NOW)
    artifact.retain(NOW)
    artifact.retain(NOW + DAY)
    assert emitted(artifact)[1:] == ["artifact.retained.v1"] * 2
    assert refused(artifact, lambda a: a.retain(NOW)) == "retained"
    assert refused(artifact, lambda a: a.retain(None)) == "retained"
    with pytest.raises(Invalid):
        artifact.retain(datetime(2040, 1, 1))  # noqa: DTZ001 - that is what is refused


def test_bytes_are_deleted_once_they_need_not_be_kept_any_more() -> None:
    artifact = committed()
    artifact.retain(NOW + DAY)
    assert refused(artifact, lambda a: a.delete("old", NOW)) == "retained"
    artifact.delete("old", NOW + DAY)
    assert artifact.deleted


def test_nothing_happens_to_bytes_that_were_deleted() -> None:
    artifact = committed()
    artifact.attach(version := new_id("version"))
    artifact.delete("old", NOW)
    commands: list[Command] = [
        lambda a: a.attach(version),
        lambda a: a.hold("late"),
        lambda a: a.release("late"),
        lambda a: a.retain(NOW),
        lambda a: a.delete("again", NOW),
    ]
    for command in commands:
        assert refused(artifact, command) == "artifact-deleted"
