"""What is looked into next, and what is not looked into again."""

from typing import Any

from domain.abstraction import Abstraction
from domain.version import Version
from workers.backlog import RETRY_S, Backlog, digest

TEXT = "strict: true"


def published(backlog: Backlog, version: str, dataset: str = "d", **more: Any) -> None:
    data = {"kind": "dataset", "abstraction": dataset, "content": {"root": ""}, **more}
    backlog.note(version, Version.Published.TOPIC, data)


def profiled(backlog: Backlog, version: str) -> None:
    backlog.note(version, Version.Profiled.TOPIC, {})


def checked(backlog: Backlog, version: str, text: str) -> None:
    backlog.note(version, Version.Checked.TOPIC, {"expectations": digest(text)})


def expected(backlog: Backlog, text: str | None, dataset: str = "d") -> None:
    backlog.note(dataset, Abstraction.Expected.TOPIC, {"text": text})


def drained(backlog: Backlog) -> list[str]:
    """All that is lacking something, in order; nothing lacks anything afterwards."""
    order = []
    while (version := backlog.first(0.0)) is not None:
        order.append(version)
        backlog.set_aside(version)
    return order


def test_a_version_is_looked_into_once() -> None:
    backlog = Backlog()
    published(backlog, "v1")
    assert backlog.first(0.0) == "v1"
    profiled(backlog, "v1")
    assert backlog.first(0.0) is None


def test_models_code_and_versions_that_are_gone_are_not_looked_into() -> None:
    backlog = Backlog()
    published(backlog, "v1", kind="model")
    published(backlog, "v2", content=None)
    published(backlog, "v3")
    backlog.note("v3", Version.Deleted.TOPIC, {"reason": "x"})
    expected(backlog, TEXT)
    profiled(backlog, "v1")
    assert backlog.first(0.0) is None


def test_new_expectations_concern_all_versions_and_the_latest_first() -> None:
    backlog = Backlog()
    for version in ("v1", "v2", "v3"):
        published(backlog, version)
        profiled(backlog, version)
    expected(backlog, TEXT)
    checked(backlog, "v2", TEXT)
    assert drained(backlog) == ["v3", "v1"]
    checked(backlog, "v2", "rows: {min: 1}")
    assert backlog.first(0.0) == "v2"
    expected(backlog, None)
    assert backlog.first(0.0) is None


def test_expectations_may_come_before_the_data() -> None:
    backlog = Backlog()
    expected(backlog, TEXT)
    published(backlog, "v1")
    profiled(backlog, "v1")
    assert backlog.first(0.0) == "v1"
    checked(backlog, "v1", TEXT)
    assert backlog.first(0.0) is None


def test_latest_versions_go_before_older_ones_and_newer_before_longer_known_ones() -> None:
    backlog = Backlog()
    published(backlog, "a1", "a")
    published(backlog, "a2", "a")
    published(backlog, "b1", "b")
    published(backlog, "a3", "a")
    assert drained(backlog) == ["a3", "b1", "a2", "a1"]


def test_what_is_put_off_holds_nothing_up_and_comes_back_ever_more_rarely() -> None:
    backlog = Backlog()
    published(backlog, "v1", "a")
    published(backlog, "v2", "b")
    backlog.put_off("v2", 0.0)
    assert backlog.first(1.0) == "v1"
    assert backlog.first(RETRY_S) == "v2"
    backlog.put_off("v2", RETRY_S)
    assert backlog.first(2 * RETRY_S) == "v1"
    assert backlog.first(3 * RETRY_S) == "v2"


def test_what_is_set_aside_waits_for_something_new() -> None:
    backlog = Backlog()
    published(backlog, "v1")
    backlog.set_aside("v1")
    assert backlog.first(0.0) is None
    expected(backlog, TEXT)
    assert backlog.first(0.0) == "v1"


def test_what_was_settled_against_earlier_expectations_is_not_done() -> None:
    backlog = Backlog()
    published(backlog, "v1")
    expected(backlog, TEXT)
    backlog.settled("v1", digest("rows: {min: 1}"))
    assert backlog.first(0.0) == "v1"
    backlog.settled("v1", digest(TEXT))
    assert backlog.first(0.0) is None
    backlog.settled("unknown", None)
