"""Cells of tables as short plain JSON: what a person is shown of the data itself."""

import math
from typing import Any

from hansard.tables import library
from hansard.tables.scan import kind_of_type

MAX_CELL_CHARS = 200
_MAX_DAYS = 90_000_000
"""From 1970: polars ends the process's query with a panic on dates much further away."""
SHOWN_KINDS = frozenset(
    {"boolean", "integer", "number", "text", "date", "datetime", "time", "duration"}
)


def readable(cell: Any, dtype: Any) -> Any:
    """An expression of the type as cells that `shown` takes. Only for the kinds that are shown."""
    polars = library("polars")
    match kind_of_type(dtype):
        case "text":
            return cell.cast(polars.String).str.slice(0, MAX_CELL_CHARS)
        case "number":
            return cell.cast(polars.Float64)
        case "duration":
            return cell.dt.to_string("iso")
        case "date":
            near = cell.to_physical().is_between(-_MAX_DAYS, _MAX_DAYS)
            return polars.when(near).then(cell).cast(polars.String)
        case "datetime" | "time":
            return cell.cast(polars.String)  # years beyond 9999 are no Python times
        case _:
            return cell


def shown(value: Any) -> Any:
    """A cell as JSON: text cut at 200 characters, NaN and infinities as None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value[:MAX_CELL_CHARS]
    return value
