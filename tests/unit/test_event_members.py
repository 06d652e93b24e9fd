"""Members of events are masked by the field they tell of, whatever they are called."""

import pytest

from projections.access.event_members import UNKNOWN, fields_of, shown_members


@pytest.mark.parametrize(
    ("kind", "member", "field"),
    [
        ("model", "until", "embargo_until"),
        ("model", "version_id", "latest"),
        ("run", "note", "notes"),
        ("run", "parameters", "parameters"),
        ("user", "project", "roles"),
        ("user", "group", "groups"),
        ("decision", "object", "detail"),
        ("dataset", "text", "expectations"),
        ("version", "results", "checks"),
        ("version", "passed", "quality"),
        ("version", "check_examples", "check_examples"),
        ("run", "datasets", "datasets"),
        ("run", "something_new", UNKNOWN),
    ],
)
def test_a_member_tells_of_a_field(kind: str, member: str, field: str) -> None:
    assert fields_of(kind, [member]) == {field}


def test_without_masks_everything_is_shown() -> None:
    data = {"until": None, "something_new": 1}
    assert shown_members("model", data, frozenset()) == data


def test_what_is_masked_or_of_unknown_meaning_is_left_out() -> None:
    data = {"until": "2040-01-01", "visibility": "public", "something_new": 1}
    shown = shown_members("model", data, frozenset({"embargo_until"}))
    assert shown == {"visibility": "public"}


@pytest.mark.parametrize("member", ["details", "changes"])
def test_what_is_masked_is_left_out_of_what_is_said_of_a_version(member: str) -> None:
    data = {member: {"card": "secret", "tags": {}}, "number": 1}
    shown = shown_members("version", data, frozenset({"card"}))
    assert shown == {member: {"tags": {}}, "number": 1}
