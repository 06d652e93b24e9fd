"""Expectations of datasets: the text is read strictly, the tables are checked cell by cell."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from domain.errors import Invalid
from hansard.tables import TableError
from infra.expectations import read_expectations
from workers.tables.expectations import CheckResult, check

DOCS = Path(__file__).parents[2] / "docs" / "datasets.md"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x 1\nb: *x", "aliases and anchors are not allowed .* line 1, column 4"),
        ("!!python/object:os.system {}", "tags are not allowed"),
        ("strict: true\nstrict: false", "`strict` is not allowed here or there twice .* line 2"),
        ("[" * 30_000, "nested deeper than 8"),
        ("x" * 70_000, "more than 65536 bytes"),
        ("columns:\n  a: {", "line 2"),
        ("", "is a mapping"),
        ("colums: {}", "expectations.colums: Extra"),
        ("rows: {min: 2, max: 1}", "expectations.rows: `min` is more than `max`"),
        ("rows: {min: -1}", "expectations.rows.min"),
        ("on_failure: stop", "'block' or 'warn'"),
        ("columns: {1: {}}", "has the key 1"),
        ("columns: {a: {min: x}}", "`x` is neither a number nor"),
        ("columns: {a: {type: text, min: 1}}", "expectations.columns.a: a column of type `text`"),
        ("columns: {a: {min: 1, max: '2020-01-01'}}", "different types"),
        ("columns: {a: {in: [1, .nan]}}", "expectations.columns.a.in.1: is nan"),
        ("columns: {a: {matches: '(?=x)'}}", "look-around"),
        ("columns: {a: {matches: 'a{1000}{1000}'}}", "size limit"),
        ("columns: {a: {matches: ')|('}}", "unopened group"),
        ("columns: {a: {type: integer, matches: x}}", "`matches` is for text"),
    ],
)
def test_a_text_that_is_wrong_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        read_expectations(text)


def test_the_example_of_the_documentation_is_read() -> None:
    text = DOCS.read_text().partition("## Expectations")[2].partition("```yaml\n")[2]
    expected = read_expectations(text.partition("```")[0])
    assert expected.columns["label"].allowed == ["cat", "dog"]
    assert expected.columns["seen"].min == "2020-01-01"
    assert expected.strict


def test_layout_does_not_change_the_digest_and_meaning_does() -> None:
    one, same = read_expectations("key: [id]"), read_expectations("# note\nkey:\n  - id\n")
    assert one.digest == same.digest != read_expectations("key: [other]").digest


def checked(folder: Path, frame: pl.DataFrame, text: str) -> CheckResult:
    frame.write_parquet(folder / "t.parquet")
    return check([folder / "t.parquet"], read_expectations(text))


FRAME = pl.DataFrame(
    {
        "id": [1, 2, 2, None],
        "age": [1, 200, None, -1],
        "label": ["cat", "bird", "dog", None],
        "mail": ["a@b", "no", "c@d", "a@b"],
        "score": [1.0, float("nan"), None, 2.0],
        "day": pl.Series([0, 1, 2, 3]).cast(pl.Date),
        "list": [[1], [1], [2], [3]],
    }
)


@pytest.mark.parametrize(
    ("text", "check_", "failures"),
    [
        ("rows: {min: 10}", "rows", 6),
        ("rows: {max: 1}", "rows", 3),
        ("key: [id]", "key_unique", 1),
        ("key: [id]", "key_not_null", 1),
        ("key: [gone]", "present", 1),
        ("strict: true", "strict", 7),
        ("columns: {age: {nullable: false}}", "nullable", 1),
        ("columns: {score: {nullable: false}}", "nullable", 2),
        ("columns: {age: {min: 0}}", "min", 1),
        ("columns: {age: {max: 130}}", "max", 1),
        ("columns: {label: {in: [cat, dog]}}", "in", 1),
        ("columns: {age: {in: [1, 200.0, -1]}}", "in", 0),
        ("columns: {score: {in: [1]}}", "in", 1),
        ("columns: {mail: {matches: '.+@.+'}}", "matches", 1),
        ("columns: {mail: {matches: 'a'}}", "matches", 4),
        ("columns: {mail: {unique: true}}", "unique", 1),
        ("columns: {list: {unique: true}}", "unique", 1),
        ("columns: {score: {max_null_share: 0.4}}", "max_null_share", 2),
        ("columns: {score: {max_null_share: 0.5}}", "max_null_share", 0),
        ("columns: {score: {type: integer}}", "type", 4),
        ("columns: {age: {type: number}}", "type", 0),
        ("columns: {day: {min: 1970-01-02}}", "min", 1),
        ("columns: {day: {max: '1970-01-02T00:00:00+01:00'}}", "max", 3),
        ("columns: {label: {min: 0}}", "min", 4),
        ("columns: {list: {in: [1]}}", "in", 4),
    ],
)
def test_failures_are_counted(tmp_path: Path, text: str, check_: str, failures: int) -> None:
    result = checked(tmp_path, FRAME, text)
    found = {each["check"]: each for each in result.results}[check_]
    assert found["failures"] == failures
    assert found["passed"] is (failures == 0)
    assert result.blocking is not result.passed


def test_cells_are_in_the_examples_only_and_five_at_most(tmp_path: Path) -> None:
    frame = pl.DataFrame({"t": [f"secret-{i}" for i in range(200_000)]})
    result = checked(tmp_path, frame, "columns: {t: {in: [public]}}").as_json()
    assert "secret" not in str(result["results"])
    assert result["results"][0]["failures"] == 200_000
    assert result["examples"] == [
        {"check": "in", "column": "t", "values": [f"secret-{i}" for i in range(5)]}
    ]


def test_a_warning_does_not_block(tmp_path: Path) -> None:
    result = checked(tmp_path, FRAME, "on_failure: warn\nrows: {max: 1}")
    assert (result.passed, result.blocking) == (False, False)


def test_several_files_are_checked_as_one_table(tmp_path: Path) -> None:
    pl.DataFrame({"id": [1, 2]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"id": [2, 3]}).write_csv(tmp_path / "b.csv")
    found = check(sorted(tmp_path.iterdir()), read_expectations("key: [id]\nrows: {min: 4}"))
    failures: dict[str, Any] = {each["check"]: each["failures"] for each in found.results}
    assert failures == {"rows": 0, "key_not_null": 0, "key_unique": 1}


def test_big_whole_numbers_are_compared_exactly(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": pl.Series([2**64 - 1, 2**63 - 1], dtype=pl.UInt64)})
    result = checked(tmp_path, frame, f"columns: {{n: {{max: {2**63 - 1}, min: -1}}}}")
    assert [each["failures"] for each in result.results] == [0, 1]


def test_a_dataset_without_tables_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no table among the files"):
        check([], read_expectations("key: [id]"))
