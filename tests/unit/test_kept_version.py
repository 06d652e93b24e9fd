"""A version that a run kept belongs to who asked for the run, whoever recorded it."""

from typing import Any

from projections.read_event import ReadEvent
from projections.registry_rows import fold


def published(origin: dict[str, str] | None) -> dict[str, Any]:
    data = {"abstraction": "model-1", "kind": "model", "project": "p", "number": 1, "source": {}}
    payload = {
        "data": {**data, "artifacts": [], "content": None, "origin": origin, "details": {}},
        "actor": "dispatcher",
        "time": "2030-01-01T00:00:00+00:00",
    }
    return fold(None, ReadEvent(1, "version-1", 1, "version.published.v3", payload))


def test_the_owner_is_who_asked_for_the_run() -> None:
    assert published({"run": "run-1", "by": "user-ann"})["created_by"] == "user-ann"


def test_what_was_kept_before_that_was_recorded_stays_as_it_was() -> None:
    assert published({"run": "run-1"})["created_by"] == "dispatcher"


def test_what_is_uploaded_belongs_to_the_uploader() -> None:
    assert published(None)["created_by"] == "dispatcher"
