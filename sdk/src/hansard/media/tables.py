"""Tables as file content: Arrow where pyarrow is at hand, else the columns as JSON."""

import json
import math
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, BinaryIO

from hansard.media.arrays import as_array
from hansard.media.files import Content, of_bytes
from hansard.media.values import json_object, named, spelling
from hansard.plain import plain, scalar

ARROW = "application/vnd.apache.arrow.file"
JSON = "application/json"


def table(value: object) -> Content:
    """A table of pyarrow, polars or pandas, a dict of columns or a list of dicts.

    Raises TypeError for anything else and for cells that neither Arrow nor JSON can hold,
    ValueError for columns of different lengths.
    """
    arrow = pyarrow()
    if hasattr(value, "__arrow_c_stream__") or hasattr(value, "__arrow_c_array__"):
        if arrow is not None:
            return _arrow_content(arrow.table(value), arrow)
        value = _columns_of_frame(value)
    columns = _columns(value)
    if arrow is not None:
        try:
            taken = {name: _arrow_column(column, arrow) for name, column in columns.items()}
            return _arrow_content(arrow.table(taken), arrow)
        except (arrow.ArrowException, OverflowError):
            pass  # columns of mixed types and integers beyond 64 bits fit into JSON
    return _json_content({name: _listed(column) for name, column in columns.items()})


def pyarrow() -> Any:
    """The library, None if it is not installed."""
    try:
        return import_module("pyarrow")
    except ModuleNotFoundError:
        return None


def columns_from_json(data: bytes) -> dict[str, list[Any]]:
    """The columns in a JSON table. Raises ValueError if the file holds none."""
    found = json_object(data)
    columns, strange = found.get("columns"), found.get("nonfinite")
    if not isinstance(columns, dict) or not isinstance(strange, dict):
        raise ValueError("the file holds no table")
    if not all(isinstance(column, list) for column in columns.values()):
        raise ValueError("a column of the table is no list")
    if len({len(column) for column in columns.values()}) > 1:
        raise ValueError("the columns of the table have different lengths")
    for name, cells in strange.items():
        if not isinstance(cells, dict) or name not in columns:
            raise ValueError("the table names a column that it lacks")
        for row, spelled in cells.items():
            if not row.isdecimal() or not row.isascii() or int(row) >= len(columns[name]):
                raise ValueError("the table names a row that it lacks")
            columns[name][int(row)] = named(spelled)
    return columns


def _arrow_content(content: Any, arrow: Any) -> Content:
    def write(file: BinaryIO) -> None:
        with arrow.ipc.new_file(file, content.schema) as writer:
            writer.write_table(content)

    meta = {"rows": content.num_rows, "columns": content.num_columns}
    return Content(write, content.nbytes, "arrow", ARROW, meta)


def _json_content(columns: dict[str, list[Any]]) -> Content:
    """Numbers that are not finite stand beside their columns, so that no text looks like one."""
    strange = {}
    for name, column in columns.items():
        cells = {row: spelling(cell) for row, cell in enumerate(column) if _is_strange(cell)}
        if cells:
            strange[name] = cells
            columns[name] = [None if row in cells else cell for row, cell in enumerate(column)]
    document = {"columns": plain(columns, "table"), "nonfinite": strange}
    rows = max(map(len, columns.values()), default=0)
    meta = {"rows": rows, "columns": len(columns)}
    return of_bytes(json.dumps(document).encode(), "json", JSON, meta)


def _is_strange(cell: object) -> bool:
    return isinstance(cell, float) and not math.isfinite(cell)


def _columns_of_frame(frame: Any) -> dict[str, list[Any]]:
    """The columns of a pandas or polars frame, where there is no pyarrow to take it whole."""
    if not hasattr(frame, "columns"):
        raise TypeError(f"a {type(frame).__name__} is logged with pyarrow, which is not installed")
    return {name: frame[name].to_list() for name in frame.columns}


def _columns(value: object) -> dict[str, Any]:
    """Columns by name, arrays of one dimension among them, all of one length."""
    if isinstance(value, Mapping):
        columns = {_name(name): _column(column, name) for name, column in value.items()}
    elif isinstance(value, list | tuple) and all(isinstance(row, Mapping) for row in value):
        names = dict.fromkeys(_name(name) for row in value for name in row)
        columns = {name: [_cell(row.get(name)) for row in value] for name in names}
    else:
        raise TypeError(f"`table` is a {type(value).__name__}, not a table, dict or list of dicts")
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the columns of a table have one length, these {lengths}")
    return columns


def _arrow_column(column: Any, arrow: Any) -> Any:
    return arrow.chunked_array(column) if hasattr(column, "__arrow_c_stream__") else column


def _column(column: Any, name: str) -> Any:
    if hasattr(column, "to_list") or hasattr(column, "to_pylist"):
        return column  # a series, which numpy would have without its nulls
    array = as_array(column)
    if array is not None:
        if array.ndim != 1:
            raise ValueError(f"the column `{name}` has {array.ndim} dimensions: one is needed")
        return array
    if isinstance(column, str | bytes | Mapping) or not isinstance(column, Iterable):
        raise TypeError(f"the column `{name}` is a {type(column).__name__}, not a list")
    return [_cell(cell) for cell in column]


def _cell(cell: object) -> object:
    """Arrow knows the scalars of numpy, but no tensors."""
    return scalar(cell) if hasattr(cell, "detach") else cell


def _listed(column: Any) -> list[Any]:
    if getattr(getattr(column, "dtype", None), "kind", "") in ("m", "M"):
        raise TypeError("times are logged with pyarrow, which is not installed")
    for method in ("to_list", "to_pylist", "tolist"):
        if hasattr(column, method):
            column = getattr(column, method)()
    return [scalar(cell) for cell in column]


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the column name {name!r} is no text")
    name.encode()  # half a surrogate pair is no text either
    return name
