"""Tables of every library come back as Arrow, without pyarrow as columns; nothing is altered."""

import math
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import hansard
from hansard import run_log
from hansard.media.reading import read_item
from hansard.media.tables import ARROW, JSON, columns_from_json, table
from tests.unit.step_items import last, listed

pyarrow = import_module("pyarrow")

CELLS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
COLUMNS = st.integers(0, 5).flatmap(
    lambda rows: st.dictionaries(
        st.text(max_size=5), st.lists(CELLS, min_size=rows, max_size=rows), max_size=4
    )
)


@pytest.fixture
def step_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(run_log.STEP_DIR_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture
def no_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)


MOMENT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "given_table",
    [
        pyarrow.table({"a": [1, 2], "b": ["x", None], "t": [MOMENT, MOMENT]}),
        pyarrow.table({"a": [1, 2], "b": ["x", None], "t": [MOMENT, MOMENT]}).to_batches()[0],
        polars.DataFrame({"a": [1, 2], "b": ["x", None], "t": [MOMENT, MOMENT]}),
        {"a": [1, 2], "b": ["x", None], "t": [MOMENT, MOMENT]},
        [{"a": 1, "b": "x", "t": MOMENT}, {"a": 2, "t": MOMENT}],
        {"a": np.array([1, 2]), "b": ("x", None), "t": iter([MOMENT, MOMENT])},
        {"a": torch.tensor([1, 2]), "b": ["x", None], "t": polars.Series([MOMENT, MOMENT])},
        {"a": [torch.tensor(1), np.int64(2)], "b": ["x", None], "t": [MOMENT, MOMENT]},
    ],
)
def test_tables_of_every_library_come_back_as_arrow(step_dir: Path, given_table: Any) -> None:
    hansard.log_table("rows", given_table)
    found = last(step_dir)
    assert isinstance(found, pyarrow.Table)
    assert found.select(["a", "b"]).to_pydict() == {"a": [1, 2], "b": ["x", None]}
    assert [moment.timestamp() for moment in found["t"].to_pylist()] in (
        [MOMENT.timestamp()] * 2,
        [MOMENT.replace(tzinfo=None).timestamp()] * 2,
    )
    (item,) = listed(step_dir)
    assert (item["kind"], item["media"], item["meta"]) == (
        "table",
        ARROW,
        {"rows": 2, "columns": 3},
    )
    (path,) = (step_dir / "items").iterdir()
    assert read_item("table", ARROW, path).equals(found)


def test_the_types_of_arrays_are_kept(step_dir: Path) -> None:
    hansard.log_table("rows", {"a": np.array([1], "float32"), "b": np.array([2], "uint8")})
    assert [str(field.type) for field in last(step_dir).schema] == ["float", "uint8"]


@pytest.mark.parametrize(
    "series",
    [
        polars.Series([1, None], dtype=polars.Int32),
        pyarrow.array([1, None], "int32"),
        pyarrow.chunked_array([[1], [None]], "int32"),
    ],
)
def test_the_nulls_of_a_series_are_kept(step_dir: Path, series: Any) -> None:
    hansard.log_table("rows", {"a": series})
    column = last(step_dir)["a"]
    assert (str(column.type), column.to_pylist()) == ("int32", [1, None])
    hansard.log_table("rows", {"a": series, "mixed": [1, "x"]})
    assert last(step_dir) == {"a": [1, None], "mixed": [1, "x"]}


def test_the_same_table_is_the_same_file(step_dir: Path) -> None:
    for _ in range(2):
        hansard.log_table("rows", {"a": list(range(100))})
    assert len(list((step_dir / "items").iterdir())) == 1


def test_columns_of_mixed_types_are_kept_as_they_are(step_dir: Path) -> None:
    mixed = {"a": [1, "x", None], "b": [2**70, 1, 2], "c": [math.inf, "NaN", [1]]}
    hansard.log_table("rows", mixed)
    assert listed(step_dir)[0]["media"] == JSON
    assert last(step_dir) == mixed


@given(COLUMNS)
def test_cells_survive_their_json(columns: dict[str, list[Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pyarrow", None)
        content = table(columns)
    written: list[bytes] = []
    content.write(type("File", (), {"write": written.append})())
    assert repr(columns_from_json(written[0])) == repr(columns)


@pytest.mark.usefixtures("no_pyarrow")
@pytest.mark.parametrize(
    "given_table",
    [
        {"a": [1, 2], "b": [0.5, math.nan]},
        [{"a": 1, "b": 0.5}, {"a": 2, "b": math.nan}],
        {"a": np.array([1, 2]), "b": torch.tensor([0.5, math.nan])},
        {"a": [np.int64(1), torch.tensor(2)], "b": [np.float32(0.5), np.float32("nan")]},
        polars.DataFrame({"a": [1, 2], "b": [0.5, math.nan]}),
    ],
)
def test_without_pyarrow_tables_are_columns(step_dir: Path, given_table: Any) -> None:
    hansard.log_table("rows", given_table)
    assert repr(last(step_dir)) == repr({"a": [1, 2], "b": [0.5, math.nan]})
    assert listed(step_dir)[0]["meta"] == {"rows": 2, "columns": 2}


@pytest.mark.usefixtures("no_pyarrow")
def test_without_pyarrow_times_are_refused(step_dir: Path) -> None:
    times = np.array(["2026-01-02"], "datetime64[ns]")
    for odd in ({"t": times}, {"t": [MOMENT]}):
        with pytest.raises(TypeError):
            hansard.log_table("rows", odd)
    with pytest.raises(TypeError, match="pyarrow"):
        hansard.log_table("rows", pyarrow.record_batch({"a": [1]}).schema.empty_table().to_reader())
    assert list(step_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("odd", "error", "message"),
    [
        ({"a": [1], "b": [1, 2]}, ValueError, "one length"),
        ({"a": 1}, TypeError, "not a list"),
        ({"a": "text"}, TypeError, "not a list"),
        ({1: [1]}, TypeError, "no text"),
        ({"\ud800": [1]}, ValueError, "surrogates"),
        ({"a": [object()]}, TypeError, "JSON cannot hold"),
        ({"a": np.zeros((2, 2))}, ValueError, "dimensions"),
        ([1, 2], TypeError, "not a table"),
        ("text", TypeError, "not a table"),
        (None, TypeError, "not a table"),
    ],
)
def test_what_is_no_table_is_refused(
    step_dir: Path, odd: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        hansard.log_table("rows", odd)
    assert list(step_dir.iterdir()) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"columns": {"a": 1}, "nonfinite": {}}',
        b'{"columns": {"a": [1], "b": []}, "nonfinite": {}}',
        b'{"columns": {"a": [1]}, "nonfinite": {"b": {"0": "NaN"}}}',
        b'{"columns": {"a": [1]}, "nonfinite": {"a": {"1": "NaN"}}}',
        b'{"columns": {"a": [1]}, "nonfinite": {"a": {"-1": "NaN"}}}',
        b'{"columns": {"a": [1]}, "nonfinite": {"a": {"0": "one"}}}',
        b'{"columns": {"a": [1]}, "nonfinite": {"a": {"' + b"1" * 5000 + b'": "NaN"}}}',
    ],
)
def test_a_file_that_holds_no_table_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_item("table", JSON, data)
    with pytest.raises(ValueError, match="no Arrow table"):
        read_item("table", ARROW, data)


def test_another_kind_or_type_is_refused() -> None:
    for kind, media in (("table", "text/csv"), ("pickle", JSON), ("image", "image/gif")):
        with pytest.raises(ValueError, match="no item is"):
            read_item(kind, media, b"")
    with pytest.raises(ValueError, match="no JSON object"):
        read_item("figure", "application/vnd.plotly.v1+json", b"[]")
