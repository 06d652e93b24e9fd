"""Files of tables as lazy polars frames: grouped by format and schema, never whole in memory.

A CSV file's column has the narrowest type that all of its cells have (boolean, integer, number,
else text), decided over the whole file, so that the same file always has the same types.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hansard.tables import TableError, library, table_format

_COLUMNS_AT_ONCE = 200
_SHORT_OF_MEMORY = re.compile(r"\bos error (11|12)\b|[Cc]annot allocate|alloc\w* failed")
"""Memory, or threads, whose stacks are memory too: EAGAIN and ENOMEM."""
_NUMBER_TYPES = ("Float16", "Float32", "Float64", "Decimal")
_KINDS = {
    "Boolean": "boolean",
    **dict.fromkeys(_NUMBER_TYPES, "number"),
    **dict.fromkeys(("String", "Categorical", "Enum"), "text"),
    "Date": "date",
    "Datetime": "datetime",
    "Time": "time",
    "Duration": "duration",
    "Binary": "binary",
    "Null": "null",
    **dict.fromkeys(("List", "Array", "Struct"), "nested"),
}


@dataclass(frozen=True)
class TableGroup:
    """Files of one format and one schema (a polars Schema)."""

    format: str
    paths: tuple[Path, ...]
    schema: Any

    def scan(self) -> Any:
        """A LazyFrame over the rows of all files, in order."""
        return _scan(self.format, self.paths, self.schema)


@dataclass(frozen=True)
class Unreadable:
    """A file that has the format's name or first bytes but cannot be read, and why."""

    format: str
    path: Path
    reason: str


@dataclass
class TableFiles:
    """What the files of a dataset are."""

    groups: list[TableGroup] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


def kind_of_type(dtype: Any) -> str:
    """What people call a polars type: `integer`, `number`, `text`, `nested`, ..., or `other`."""
    return "integer" if dtype.is_integer() else _KINDS.get(dtype.base_type().__name__, "other")


def group_tables(paths: Sequence[Path]) -> TableFiles:
    """Sort files into groups of tables, other files, and tables that cannot be read."""
    files = TableFiles()
    groups: dict[tuple[Any, ...], tuple[Any, list[Path]]] = {}
    for path in paths:
        format_ = table_format(path)
        if format_ is None:
            files.others.append(path)
            continue
        try:
            schema = _schema(format_, path)
        except TableError as error:
            files.unreadable.append(Unreadable(format_, path, str(error)))
            continue
        groups.setdefault((format_, *schema.items()), (schema, []))[1].append(path)
    for (format_, *_), (schema, members) in groups.items():
        files.groups.append(TableGroup(format_, tuple(members), schema))
    return files


def scan_all(paths: Sequence[Path]) -> Any:
    """A LazyFrame over all tables among the files, with the columns of all of them.

    Raises TableError if one cannot be read, if types clash, or if there is no table.
    """
    files = group_tables(paths)
    if files.unreadable:
        raise TableError(files.unreadable[0].reason)
    if not files.groups:
        raise TableError("there is no table among the files")
    polars = library("polars")
    with reading("the tables together"):
        whole = polars.concat([group.scan() for group in files.groups], how="diagonal_relaxed")
        whole.collect_schema()
        return whole


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Whatever polars raises becomes a TableError without the cells that polars quotes.

    Raises MemoryError where memory ran out: that says nothing about the tables.
    """
    polars = library("polars")
    try:
        yield
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException, OSError) as error:
        if _SHORT_OF_MEMORY.search(str(error)):
            raise MemoryError(f"{what} cannot be read: memory ran out") from None
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise TableError(f"{what} cannot be read ({reason})") from None


def _schema(format_: str, path: Path) -> Any:
    with reading(f"`{path.name}`"):
        if format_ in ("csv", "tsv"):
            return _csv_schema(format_, path)
        return _scan(format_, (path,), None).collect_schema()


def _scan(format_: str, paths: Sequence[Path], schema: Any) -> Any:
    polars = library("polars")
    match format_:
        case "parquet":
            return polars.scan_parquet(list(paths), glob=False, hive_partitioning=False)
        case "arrow":
            return polars.scan_ipc(list(paths), glob=False, hive_partitioning=False)
        case "arrow-stream":
            return polars.concat([polars.read_ipc_stream(path) for path in paths]).lazy()
        case "jsonl":
            # This reader always expands patterns, and a file may be called `a[1].jsonl`.
            plain = [re.sub(r"([*?\[])", r"[\1]", str(path)) for path in paths]
            return polars.scan_ndjson(plain, schema=schema, infer_schema_length=None)
        case _:
            text = _csv_text(format_, paths)
            return text.with_columns(_from_text(name, dtype) for name, dtype in schema.items())


def _csv_text(format_: str, paths: Sequence[Path]) -> Any:
    return library("polars").scan_csv(
        list(paths),
        glob=False,
        separator="\t" if format_ == "tsv" else ",",
        infer_schema=False,
        encoding="utf8-lossy",
    )


def _csv_schema(format_: str, path: Path) -> Any:
    polars = library("polars")
    text = _csv_text(format_, [path])
    types: dict[str, Any] = {}
    for names in batched_names(text.collect_schema().names(), _COLUMNS_AT_ONCE):
        counts = [
            _parsed(name, dtype) for name in names for dtype in (polars.String, *_csv_types())
        ]
        numbered = [count.alias(str(at)) for at, count in enumerate(counts)]
        row = text.select(numbered).collect(engine="streaming").row(0)
        width = len(counts) // len(names)
        types.update({n: _narrowest(row[at * width :][:width]) for at, n in enumerate(names)})
    return polars.Schema(types)


def _csv_types() -> tuple[Any, ...]:
    polars = library("polars")
    return polars.Boolean, polars.Int64, polars.Float64


def _parsed(name: str, dtype: Any) -> Any:
    return _from_text(name, dtype).is_not_null().sum()


def _narrowest(counts: Sequence[int]) -> Any:
    filled, *parsed = counts
    fitting = (dtype for dtype, n in zip(_csv_types(), parsed, strict=True) if 0 < n == filled)
    return next(fitting, library("polars").String)


def _from_text(name: str, dtype: Any) -> Any:
    polars = library("polars")
    cell = polars.col(name)
    if dtype == polars.String:
        return cell
    if dtype == polars.Boolean:
        return polars.when(cell.is_in(["true", "false"])).then(cell == "true").alias(name)
    return cell.cast(dtype, strict=False)


def batched_names(names: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """The names in groups of at most `size`, so that one query holds a bounded number of them."""
    return (tuple(names[at : at + size]) for at in range(0, len(names), size))
