"""PostgreSQL's types as Arrow's: exactly, and as text in the server's own words where none fits."""

from collections.abc import Sequence
from typing import Any

from hansard.sources.errors import QueryRefused
from hansard.sources.libraries import require
from hansard.sources.parquet import Column

_COLLATED = frozenset({"text", "varchar", "bpchar", "name"})
_LONG_DIGITS = 38
_LONGEST_DIGITS = 76
_OPEN_SCALE = 18
"""Digits after the point of a numeric that states none: a value with more is refused, not cut."""


def column_of(described: Any) -> Column:
    """The column for one of a cursor's description. Raises QueryRefused for one too long."""
    element, is_array = _element(described.type_code)
    name = element.name if element else f"type {described.type_code}"
    arrow = _arrow(name, described)
    if is_array:
        return Column(described.name, require("pyarrow").list_(arrow), f"{name}[]")
    return Column(described.name, arrow, name)


def keep_texts(connection: Any, types: Sequence[int]) -> None:
    """Have every type without an Arrow type of its own loaded as text: JSON as it was written."""
    loader = require("psycopg.types.string").TextLoader
    for oid in types:
        element, _ = _element(oid)
        if element is None:
            connection.adapters.register_loader(oid, loader)
        elif element.name not in _simple() and element.name != "numeric":
            connection.adapters.register_loader(element.oid, loader)


def is_text(oid: int) -> bool:
    """Whether a column of this type is ordered by a language's rules unless told otherwise."""
    element, is_array = _element(oid)
    return element is not None and element.name in _COLLATED and not is_array


def _element(oid: int) -> tuple[Any, bool]:
    """The type, or that of an array's elements, and whether it is an array."""
    found = require("psycopg").adapters.types.get(oid)
    return found, found is not None and found.oid != oid


def _arrow(name: str, described: Any) -> Any:
    if name == "numeric":
        return _decimal(described)
    return _simple().get(name, require("pyarrow").string())


def _simple() -> dict[str, Any]:
    pyarrow = require("pyarrow")
    return {
        "bool": pyarrow.bool_(),
        "int2": pyarrow.int16(),
        "int4": pyarrow.int32(),
        "int8": pyarrow.int64(),
        "oid": pyarrow.int64(),
        "float4": pyarrow.float32(),
        "float8": pyarrow.float64(),
        "bytea": pyarrow.binary(),
        "date": pyarrow.date32(),
        "time": pyarrow.time64("us"),
        "timestamp": pyarrow.timestamp("us"),
        "timestamptz": pyarrow.timestamp("us", tz="UTC"),
    }


def _decimal(described: Any) -> Any:
    pyarrow = require("pyarrow")
    precision, scale = described.precision, described.scale
    if precision is None or scale is None:
        return pyarrow.decimal128(_LONG_DIGITS, _OPEN_SCALE)
    digits = max(precision - min(scale, 0), scale)
    if digits > _LONGEST_DIGITS:
        raise QueryRefused(
            f"column `{described.name}` is numeric({precision}, {scale}): a file keeps at most"
            f" {_LONGEST_DIGITS} digits, cast it in the query"
        )
    make = pyarrow.decimal128 if digits <= _LONG_DIGITS else pyarrow.decimal256
    return make(digits, max(scale, 0))
