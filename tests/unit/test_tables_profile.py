"""Profiles of datasets: figures apart from cells, whatever the tables hold."""

import json
import math
import struct
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from workers.tables import profile as profiling
from workers.tables.profile import profile


def profiled(frame: pl.DataFrame, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns of the profile and of the examples, by name."""
    frame.write_parquet(folder / "t.parquet")
    found = profile([folder / "t.parquet"]).as_json()
    json.dumps(found, allow_nan=False)
    assert found["profile"]["unreadable"] == []
    table, examples = found["profile"]["tables"][0], found["examples"]["tables"][0]
    return (
        {column["name"]: column for column in table["columns"]},
        {column["name"]: column for column in examples["columns"]},
    )


def test_numbers_are_told_with_range_moments_and_quantiles(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": [*range(101), None]})
    column = profiled(frame, tmp_path)[0]["n"]
    assert (column["type"], column["count"], column["nulls"]) == ("integer", 101, 1)
    assert (column["min"], column["max"], column["mean"]) == (0, 100, 50)
    assert column["std"] == pytest.approx(29.3, abs=0.01)
    assert column["distinct"] == pytest.approx(101, rel=0.05)
    assert column["quantiles"] == {"5": 5, "25": 25, "50": 50, "75": 75, "95": 95}


def test_nan_and_infinities_are_null_and_leave_the_rest_alone(tmp_path: Path) -> None:
    frame = pl.DataFrame({"nan": [1.0, math.nan, 3.0], "inf": [1.0, math.inf, 3.0]})
    columns = profiled(frame, tmp_path)[0]
    assert (columns["nan"]["mean"], columns["nan"]["nans"]) == (2, 1)
    assert (columns["inf"]["min"], columns["inf"]["max"], columns["inf"]["mean"]) == (1, None, None)


def test_text_itself_is_in_the_examples_only_and_cut(tmp_path: Path) -> None:
    frame = pl.DataFrame({"t": ["secret-a", "secret-a", "secret-" + "z" * 500]})
    profile_, examples = profiled(frame, tmp_path)
    assert "secret" not in json.dumps(profile_)
    assert (profile_["t"]["min_length"], profile_["t"]["max_length"]) == (8, 507)
    assert examples["t"]["top"][0] == {"value": "secret-a", "count": 2}
    assert len(examples["t"]["max"]) == 200


def test_the_values_of_an_enumeration_do_not_show_in_its_type(tmp_path: Path) -> None:
    frame = pl.DataFrame({"e": pl.Series(["hidden"], dtype=pl.Enum(["hidden"]))})
    assert "hidden" not in json.dumps(profiled(frame, tmp_path)[0])


def test_times_far_beyond_the_calendar_are_told_or_left_out(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "date": pl.Series([0, 2**31 - 1], dtype=pl.Int32).cast(pl.Date),
            "time": pl.Series([0, 2**62]).cast(pl.Datetime("us", "UTC")),
            "for": pl.Series([0, 1]).cast(pl.Duration("ms")),
        }
    )
    columns = profiled(frame, tmp_path)[0]
    assert (columns["date"]["min"], columns["date"]["max"]) == ("1970-01-01", None)
    assert columns["time"]["max"].startswith("+148108-07-06")
    assert columns["for"]["max"] == "PT0.001S"


def test_nested_columns_and_bytes_are_counted_only(tmp_path: Path) -> None:
    frame = pl.DataFrame({"l": [[1], None], "s": [{"a": 1}, None], "b": [b"x", None]})
    profile_, examples = profiled(frame, tmp_path)
    for name in frame.columns:
        assert set(profile_[name]) == {"name", "type", "stored_as", "count", "nulls"}
        assert set(examples[name]) == {"name"}


def test_a_table_without_rows_or_columns_has_a_profile(tmp_path: Path) -> None:
    assert profiled(pl.DataFrame({"a": [1]}).clear(), tmp_path)[0]["a"]["max"] is None
    assert profiled(pl.DataFrame(), tmp_path)[0] == {}


def test_columns_beyond_the_limit_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiling, "MAX_COLUMNS", 2)
    pl.DataFrame({"a": [1], "b": [1], "c": [1]}).write_parquet(tmp_path / "t.parquet")
    table = profile([tmp_path / "t.parquet"]).tables[0]
    assert [column["name"] for column in table["columns"]] == ["a", "b"]
    assert table["left_out"] == ["c"]


def test_long_tables_are_sampled_closely_and_always_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiling, "SAMPLE_ROWS", 10_000)
    frame = pl.DataFrame({"n": pl.int_range(200_000, eager=True)})
    column = profiled(frame, tmp_path)[0]["n"]
    assert column["quantiles"]["50"] == pytest.approx(100_000, rel=0.03)
    assert profile([tmp_path / "t.parquet"]).tables[0]["sampled_rows"] == pytest.approx(10_000, 0.1)
    assert profiled(frame, tmp_path)[0]["n"]["quantiles"] == column["quantiles"]


def test_files_that_are_no_tables_are_counted_with_the_sizes_of_images(tmp_path: Path) -> None:
    for width in (3, 70):
        head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, 9)
        (tmp_path / f"{width}.png").write_bytes(head)
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "LICENSE").write_text("free")
    files = {each["format"]: each for each in profile(sorted(tmp_path.iterdir())).files}
    assert files["png"] == {
        "format": "png",
        "files": 3,
        "bytes": 56,
        "width": [3, 70],
        "height": [9, 9],
    }
    assert files["none"] == {"format": "none", "files": 1, "bytes": 4}


def test_what_cannot_be_read_is_listed_beside_the_rest(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "good.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + bytes(100))
    (tmp_path / "empty.csv").write_bytes(b"")
    found = profile(sorted(tmp_path.iterdir()))
    assert [table["rows"] for table in found.tables] == [1]
    assert [lost["format"] for lost in found.unreadable] == ["parquet", "csv"]
