"""Statistics of one column: which polars expressions they are, and their form as JSON."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from hansard.tables.cells import MAX_CELL_CHARS, SHOWN_KINDS, readable, shown
from hansard.tables.scan import kind_of_type

QUANTILES = (5, 25, 50, 75, 95)
MAX_TOP = 10
_NUMBERS = ("integer", "number")
_TIMES = ("date", "datetime", "time", "duration")


def statistics(name: str, dtype: pl.DataType) -> dict[str, pl.Expr]:
    """What is asked of a column's whole length; each is one aggregate that streams."""
    column, kind = pl.col(name), kind_of_type(dtype)
    wanted = {"count": column.count(), "nulls": column.null_count()}
    if kind in SHOWN_KINDS:
        wanted["distinct"] = column.drop_nulls().approx_n_unique()
    if kind in _NUMBERS:
        wanted |= _of_numbers(column, dtype)
    if kind in _TIMES or kind == "text":
        wanted |= {"min": readable(column.min(), dtype), "max": readable(column.max(), dtype)}
    if kind == "text":
        lengths = column.cast(pl.String).str.len_chars()
        wanted |= {"min_length": lengths.min(), "max_length": lengths.max()}
    return wanted


def _of_numbers(column: pl.Expr, dtype: pl.DataType) -> dict[str, pl.Expr]:
    number = column if dtype.is_integer() else column.cast(pl.Float64).fill_nan(None)
    wanted = {
        "min": number.min(),
        "max": number.max(),
        "mean": number.mean(),
        "std": number.cast(pl.Float64).std(),
    }
    return wanted | ({"nans": column.is_nan().sum()} if dtype.is_float() else {})


def column_profile(
    name: str, dtype: pl.DataType, found: Mapping[str, Any], sample: pl.Series | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A column's profile, and what of it shows cells as they are.

    `found` holds the values of `statistics`; the sample is None for kinds that are not shown.
    """
    kind = kind_of_type(dtype)
    profile: dict[str, Any] = {"name": name, "type": kind, "stored_as": _stored_as(dtype)}
    profile |= {statistic: shown(value) for statistic, value in found.items()}
    examples: dict[str, Any] = {"name": name}
    if kind == "text":
        examples |= {end: profile.pop(end) for end in ("min", "max")}
    if sample is not None:
        examples["top"] = _top(sample)
        if kind in _NUMBERS:
            profile["quantiles"] = _quantiles(sample)
    return profile, examples


def _stored_as(dtype: pl.DataType) -> str:
    # The full name of an enumeration lists its values, which are cells.
    return "Enum" if isinstance(dtype, pl.Enum) else str(dtype)[:MAX_CELL_CHARS]


def _quantiles(sample: pl.Series) -> dict[str, Any]:
    numbers = sample.cast(pl.Float64).drop_nulls().drop_nans()
    return {str(q): shown(numbers.quantile(q / 100, "linear")) for q in QUANTILES}


def _top(sample: pl.Series) -> list[dict[str, Any]]:
    """The most frequent values; among equally frequent ones, the smallest first."""
    counts = sample.drop_nulls().rename("value").value_counts(name="count")
    rows = counts.sort("count", "value", descending=[True, False]).head(MAX_TOP)
    return [{"value": shown(value), "count": count} for value, count in rows.iter_rows()]
