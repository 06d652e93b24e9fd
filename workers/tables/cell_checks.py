"""Checks of single cells: expectations of a column as pandera's checks, run over one batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaError, SchemaErrors

from hansard.tables.cells import SHOWN_KINDS, readable
from hansard.tables.scan import kind_of_type
from infra.expectations import ColumnExpectation, moment

_NUMBERS = ("integer", "number")
_TIMES = ("date", "datetime")
_WIDE = (pl.UInt64, pl.Int128, pl.UInt128)


@dataclass(frozen=True)
class Failed:
    """Cells of one column in one batch that one check refuses."""

    column: str
    check: str
    count: int
    cells: list[Any]


def comparable(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column in the one type in which its kind is checked; NaN is null, times are of UTC."""
    cell, kind = pl.col(name), kind_of_type(dtype)
    if kind == "integer":
        return cell.cast(pl.Int128 if dtype in _WIDE else pl.Int64)
    if kind == "number":
        return cell.cast(pl.Float64).fill_nan(None)
    if kind == "datetime" and getattr(dtype, "time_zone", None):
        cell = cell.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if kind in _TIMES:
        return cell.cast(pl.Datetime("us"), strict=False)
    return cell.cast(pl.String) if kind == "text" else cell


def fits(expected: str | None, kind: str) -> bool:
    """Whether a column of the kind is of the expected type. A column of nulls is of any."""
    fitting = _NUMBERS if expected == "number" else (expected,)
    return expected is None or kind == "null" or kind in fitting


def checks_of(expected: ColumnExpectation) -> list[str]:
    """The names of the checks of cells that an expectation asks for."""
    asked = {
        "nullable": not expected.nullable,
        "min": expected.min is not None,
        "max": expected.max is not None,
        "in": expected.allowed is not None,
        "matches": expected.matches is not None,
    }
    return [check for check, wanted in asked.items() if wanted]


def applies(check: str, expected: ColumnExpectation, kind: str) -> bool:
    """Whether a check makes sense for cells of the kind."""
    if check == "nullable" or kind == "null":
        return True
    if check == "matches":
        return kind == "text"
    if check == "in":
        return kind in (*_NUMBERS, "text", "boolean")
    return kind in (_TIMES if isinstance(getattr(expected, check), str) else _NUMBERS)


def schema_column(checks: list[str], expected: ColumnExpectation, kind: str) -> pa.Column:
    """The column of a pandera schema that makes these checks."""
    rules = [_rule(check, expected, kind) for check in checks if check != "nullable"]
    return pa.Column(checks=[] if kind == "null" else rules, nullable="nullable" not in checks)


def _rule(check: str, expected: ColumnExpectation, kind: str) -> pa.Check:
    if check == "in":
        return pa.Check.isin(_allowed(expected.allowed or [], kind), name=check)
    if check == "matches":
        return pa.Check(partial(_matching, pattern=str(expected.pattern)), name=check)
    end = getattr(expected, check)
    value = moment(end) if isinstance(end, str) else end
    return (pa.Check.ge if check == "min" else pa.Check.le)(value, name=check)


def _matching(data: pa.PolarsData, pattern: str) -> pl.LazyFrame:
    # pandera's own check asks Python whether this is a pattern; polars decides, in linear time.
    matching: pl.LazyFrame = data.lazyframe.select(pl.col(data.key or "*").str.contains(pattern))
    return matching


def _allowed(values: list[Any], kind: str) -> list[Any]:
    """Those values that a cell of the kind could have."""
    if kind == "text":
        return [value for value in values if isinstance(value, str)]
    if kind == "boolean":
        return [value for value in values if isinstance(value, bool)]
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if kind == "integer":
        return [int(number) for number in numbers if number == int(number)]
    return [float(number) for number in numbers]


def failed_cells(schema: pa.DataFrameSchema, batch: pl.DataFrame) -> Iterator[Failed]:
    """What of a batch the schema refuses."""
    try:
        schema.validate(batch, lazy=True)
    except SchemaErrors as refused:
        yield from (_failed(error) for error in refused.schema_errors)


def _failed(error: SchemaError) -> Failed:
    check = error.check.name if isinstance(error.check, pa.Check) else "nullable"
    cases = error.failure_cases
    if not isinstance(cases, pl.DataFrame) or error.schema is None:
        raise RuntimeError(f"check `{check}` could not be made: {error.reason_code}")
    cells = cases.to_series()
    name = str(error.schema.name)
    return Failed(name, str(check), cells.len(), _shown(cells) if check != "nullable" else [])


def _shown(cells: pl.Series) -> list[Any]:
    if kind_of_type(cells.dtype) not in SHOWN_KINDS:
        return []
    first = cells.head(5).to_frame("cell")
    return first.select(readable(pl.col("cell"), cells.dtype)).to_series().to_list()
