"""Differences of two versions of a table."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from hansard.tables import TableError
from hansard.tables.diff import Diff, diff


@pytest.fixture(name="between")
def _between(tmp_path: Path) -> Any:
    def compare(before: Any, after: Any, key: list[str] | None = None) -> Diff:
        for name, columns in (("a", before), ("b", after)):
            pl.DataFrame(columns).write_parquet(tmp_path / f"{name}.parquet")
        return diff([tmp_path / "a.parquet"], [tmp_path / "b.parquet"], key)

    return compare


def test_rows_are_added_removed_and_changed_by_key(between: Any) -> None:
    found = between(
        {"id": [1, 2, 3, None], "x": [1.0, float("nan"), None, 4.0], "y": ["a", "b", "c", "d"]},
        {"id": [4, None, 2, 3], "x": [1.0, 5.0, float("nan"), None], "y": ["a", "d", "b", "C"]},
        ["id"],
    )
    assert (found.added, found.removed, found.changed) == (1, 1, 2)
    assert found.changed_columns == {"x": 1, "y": 1}
    assert found.examples["added"] == [{"id": 4}]
    assert found.examples["removed"] == [{"id": 1}]
    assert found.examples["changed"] == [{"id": None}, {"id": 3}]


def test_duplicate_keys_are_told_and_their_rows_compared_as_a_bag(between: Any) -> None:
    found = between(
        {"id": [1, 1, 2], "x": [1, 2, 3]}, {"id": [1, 1, 1, 2], "x": [2, 9, 9, 3]}, ["id"]
    )
    assert found.duplicate_keys == {"before": 1, "after": 1}
    assert found.examples["duplicate_after"] == [{"id": 1}]
    assert (found.added, found.removed, found.changed) == (1, 0, 1)


def test_equal_rows_under_one_key_are_duplicates_too(between: Any) -> None:
    found = between({"id": [1, 2], "x": [1, 3]}, {"id": [1, 1, 2], "x": [1, 1, 3]}, ["id"])
    assert found.duplicate_keys == {"before": 0, "after": 1}
    assert (found.added, found.removed, found.changed) == (1, 0, 0)


def test_without_a_key_whole_rows_are_compared(between: Any) -> None:
    found = between({"x": [1, 1, 2], "y": ["a", "a", "b"]}, {"x": [2, 1, 7], "y": ["b", "a", "c"]})
    assert (found.added, found.removed, found.changed) == (1, 1, None)
    assert found.examples == {"added": [{"x": 7, "y": "c"}], "removed": [{"x": 1, "y": "a"}]}


def test_columns_that_came_and_went_do_not_change_rows(between: Any) -> None:
    found = between({"id": [1], "old": [1]}, {"id": [1], "new": ["x"]}, ["id"])
    assert found.columns_added == [{"name": "new", "type": "String"}]
    assert found.columns_removed == [{"name": "old", "type": "Int64"}]
    assert (found.added, found.removed, found.changed) == (0, 0, 0)


def test_a_retyped_column_is_compared_by_value(between: Any) -> None:
    found = between(
        {"id": [1, 2], "n": [1, 2], "t": ["1", "2"], "l": [[1], [2]]},
        {"id": [1.0, 2.0], "n": [1.0, 2.5], "t": [1, 2], "l": [1, 2]},
        ["id"],
    )
    assert (found.changed, found.changed_columns) == (1, {"n": 1})
    retyped = {each["name"]: each["compared"] for each in found.columns_retyped}
    assert retyped == {"id": True, "n": True, "t": True, "l": False}


def test_nested_cells_are_compared(between: Any) -> None:
    found = between(
        {"id": [1, 2], "l": [[1], [2]], "s": [{"a": 1}, {"a": 2}]},
        {"id": [1, 2], "l": [[1], [3]], "s": [{"a": 1}, {"a": 2}]},
        ["id"],
    )
    assert found.changed_columns == {"l": 1}


def test_a_key_of_several_columns_may_be_the_whole_row(between: Any) -> None:
    found = between({"a": [1, 1], "b": [1, 2]}, {"a": [1, 2], "b": [1, 2]}, ["a", "b"])
    assert (found.added, found.removed, found.changed) == (1, 1, 0)


def test_tables_without_rows_are_compared(between: Any) -> None:
    empty = pl.DataFrame({"id": [1]}).clear()
    assert between(empty, {"id": [1]}, ["id"]).added == 1
    assert between({"id": [1]}, empty).removed == 1


@pytest.mark.parametrize("key", [["gone"], ["l"]])
def test_a_key_that_cannot_be_one_is_refused(between: Any, key: list[str]) -> None:
    with pytest.raises(TableError, match="can be a key"):
        between({"id": [1], "l": [[1]]}, {"id": [1], "l": [[1]]}, key)


def test_versions_without_a_common_column_cannot_be_compared(between: Any) -> None:
    with pytest.raises(TableError, match="no column in common"):
        between({"a": [1]}, {"b": [1]})


def test_examples_are_apart_and_few(between: Any) -> None:
    found = between({"id": [0]}, {"id": list(range(100))}, ["id"]).as_json()
    assert found["examples"]["added"] == [{"id": n} for n in range(1, 21)]
    assert "examples" not in found["diff"]
