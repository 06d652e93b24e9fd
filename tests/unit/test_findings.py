"""What is recorded of a look into a dataset: it fits an event, and nonsense is refused."""

import json
from typing import Any

import pytest

from domain.abstraction import Abstraction
from domain.version import MAX_FINDINGS_BYTES, Version
from hansard.formats.ids import new_id
from workers.findings import failed, findings_of, fitted_check, fitted_profile
from workers.tables.process import TablesFailed

COLUMN: dict[str, Any] = {"name": "n" * 30, "type": "number", "stored_as": "Float64"}
COLUMN |= {"count": 1, "nulls": 0, "distinct": 12345, "min": 0.123456789, "max": 0.1}
COLUMN |= {"mean": 0.1, "std": 0.5, "nans": 0}
COLUMN["quantiles"] = {str(q): 0.123456789012345 for q in (5, 25, 50, 75, 95)}
TOP = [{"value": "v" * 20, "count": n} for n in range(10)]
CHECK = {"check": "min", "column": "a", "passed": True, "observed": 0, "failures": 0}


def a_profile(columns: int, tables: int = 1, **more: Any) -> dict[str, Any]:
    table = {"rows": 1, "columns": [COLUMN] * columns, "left_out": [], **more}
    return {"tables": [table] * tables, "files": [], "unreadable": []}


def some_examples(columns: int) -> dict[str, Any]:
    cells = [{"name": COLUMN["name"], "top": TOP}] * columns
    return {"tables": [{"columns": cells, "rows": [{"n": "cell"}] * 5}]}


def recorded(profile: dict[str, Any], examples: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Both as fitted, after the domain has taken them."""
    dataset = Abstraction.register(new_id("dataset"), new_id("project"), "x")
    content = {"artifact": new_id("artifact"), "root": "a" * 64, "size": 1, "files": 1}
    content |= {"format": "csv", "quarantined": False}
    version = Version.of(dataset, new_id("version"), 1, content=content)
    short = fitted_profile(profile, examples)
    version.record_profile(*short)
    return short


def test_what_fits_is_kept_as_it_is() -> None:
    assert recorded(a_profile(50), some_examples(50)) == (a_profile(50), some_examples(50))


def test_a_profile_that_fits_goes_before_examples_that_do_not() -> None:
    profile, examples = recorded(a_profile(800), some_examples(800))
    assert profile == a_profile(800)
    assert examples["trimmed"]
    profile, examples = recorded(a_profile(500), some_examples(800))
    assert profile == a_profile(500)
    assert len(examples["tables"][0]["columns"]) == 800
    assert len(examples["tables"][0]["columns"][0]["top"]) == 3


def test_two_thousand_columns_lose_details_and_none_of_them_is_lost() -> None:
    profile, _ = recorded(a_profile(2_000), some_examples(2_000))
    (table,) = profile["tables"]
    assert profile["trimmed"]
    assert len(table["columns"]) == 2_000
    assert {"name", "type", "count", "nulls", "min", "max"} <= table["columns"][0].keys()
    assert "quantiles" not in table["columns"][0]


@pytest.mark.parametrize(
    "profile",
    [
        a_profile(2_000, tables=20),
        a_profile(1, tables=5_000),
        a_profile(1, left_out=["n" * 200] * 20_000),
        {**a_profile(0, tables=0), "files": [{"format": "x" * 20, "files": 1}] * 50_000},
        {**a_profile(0, tables=0), "unreadable": [{"reason": "r" * 300}] * 20_000},
        a_profile(1, stored="x" * 600_000),
    ],
)
def test_whatever_is_too_much_is_cut_until_it_fits(profile: dict[str, Any]) -> None:
    short, _ = recorded(profile, {"tables": []})
    assert short["trimmed"]


@pytest.mark.parametrize("names", range(1_390, 1_450, 10))
def test_sizes_about_the_limit_are_counted_as_the_record_counts_them(names: int) -> None:
    recorded(a_profile(1, left_out=['"\\\n' * 60] * names), some_examples(5))


def test_failed_checks_are_kept_before_those_that_passed() -> None:
    bad = {**CHECK, "passed": False, "failures": 3}
    results = [CHECK] * 9_000 + [bad] * 10
    told = fitted_check({"passed": False, "blocking": True, "results": results, "examples": []})
    assert told["results"][:10] == [bad] * 10
    left = told["results"][-1]
    assert (left["check"], left["passed"], left["failures"]) == ("left_out", True, 0)
    assert left["observed"] + len(told["results"]) - 1 == 9_010
    assert len(json.dumps(told)) < MAX_FINDINGS_BYTES


def test_checks_that_failed_and_were_left_out_are_told() -> None:
    bad = {**CHECK, "column": "c" * 200, "passed": False, "failures": 3}
    check = {"passed": False, "blocking": True, "results": [bad] * 5_000, "examples": []}
    left = fitted_check(check)["results"][-1]
    assert not left["passed"]
    assert left["failures"] == 3 * left["observed"] > 0


def test_examples_of_checks_take_the_room_that_results_leave() -> None:
    cells = [{"check": "in", "column": "c", "values": ["x" * 200] * 5}] * 2_000
    check = {"passed": True, "blocking": False, "results": [CHECK] * 2_000, "examples": cells}
    told = fitted_check(check)
    assert told["results"] == [CHECK] * 2_000
    assert 0 < len(told["examples"]["checks"]) < 2_000


@pytest.mark.parametrize(
    "answer",
    [
        {"profile": 5},
        {"profile": {"tables": [{"columns": "all"}], "files": [], "unreadable": []}},
        {"profile": a_profile(1), "examples": []},
        {"check": {"passed": "yes", "blocking": False, "results": [], "examples": []}},
        {"check": {"passed": True, "blocking": False, "results": [1], "examples": []}},
        {"check": {"passed": True, "blocking": False, "examples": []}},
    ],
)
def test_an_answer_of_another_shape_is_refused(answer: dict[str, Any]) -> None:
    with pytest.raises(TablesFailed, match="senseless"):
        findings_of(answer)


@pytest.mark.parametrize(("on_failure", "blocking"), [("block", True), ("warn", False)])
def test_a_file_that_cannot_be_read_fails_a_check_that_did_not_need_it(
    on_failure: str, blocking: bool
) -> None:
    profile = {**a_profile(1), "unreadable": [{"reason": "it is broken"}]}
    check = {"passed": True, "blocking": False, "results": [CHECK], "examples": []}
    text = f"on_failure: {on_failure}\n"
    found = findings_of({"profile": profile, "check": check}, text).check
    assert found is not None
    assert (found["passed"], found["blocking"]) == (False, blocking)
    assert [each["check"] for each in found["results"]] == ["readable", "min"]
    assert found["results"][0]["observed"] == "it is broken"


def test_what_json_cannot_hold_in_an_answer_is_replaced() -> None:
    profile = a_profile(1, left_out=["a\0b", "\ud800", 2**70, float("nan")])
    (table,) = findings_of({"profile": profile}).profile["tables"]
    assert "\0" not in table["left_out"][0]
    assert table["left_out"][2:] == [str(2**70), "nan"]


@pytest.mark.parametrize(("on_failure", "blocking"), [("block", True), ("warn", False)])
def test_data_that_cannot_be_read_fails_and_blocks_if_failures_do(
    on_failure: str, blocking: bool
) -> None:
    found = failed("it is broken", f"on_failure: {on_failure}\n")
    assert found.check is not None
    assert (found.error, found.check["passed"]) == ("it is broken", False)
    assert found.check["blocking"] is blocking
    assert [each["check"] for each in found.check["results"]] == ["readable"]


def test_data_that_cannot_be_read_blocks_where_nobody_can_read_the_expectations() -> None:
    found = failed("it is broken", "once: allowed")
    assert found.check is not None
    assert found.check["blocking"]


def test_nothing_is_checked_where_nothing_is_expected() -> None:
    assert failed("it is broken", None).check is None
