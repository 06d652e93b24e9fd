"""Tables as files: Parquet that changes little when its rows do, and reading what teams have."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

_PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "version": "2.6",
    "data_page_version": "1.0",
    "row_group_size": 1 << 20,
    "write_statistics": True,
    # Pages are cut where the content says so: an inserted row renews the pages around it only.
    # Sizes are those of the values before they are compressed.
    "use_content_defined_chunking": {
        "min_chunk_size": 128 * 1024,
        "max_chunk_size": 512 * 1024,
    },
}
_SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".arrows": "arrow-stream",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


class TableError(Exception):
    """A table cannot be written, read or compared as asked; the message says why."""


def library(name: str) -> Any:
    """The optional module, imported. Raises TableError saying what to install."""
    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise TableError(f"this needs `{package}`: pip install {package}") from None


def write_parquet(table: object, path: str | Path) -> None:
    """Write a pyarrow, polars or pandas table, or a mapping of columns, as Parquet.

    Equal tables become equal bytes with one version of pyarrow. A later version of the table
    shares most of its bytes with this one. The file appears whole or not at all.
    Raises TableError if the value is no table or cannot be written.
    """
    whole = _as_arrow(table)
    target = Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        library("pyarrow.parquet").write_table(whole, part, **_PARQUET)
        part.replace(target)
    except (library("pyarrow").ArrowException, OSError) as error:
        raise TableError(f"`{target.name}` cannot be written: {error}") from None
    finally:
        part.unlink(missing_ok=True)


def read_table(path: str | Path) -> Any:
    """A Parquet, Arrow, CSV, TSV or JSON lines file as a pyarrow.Table, whole in memory.

    Raises TableError if it is none of these or damaged.
    """
    source = Path(path)
    format_ = table_format(source)
    if format_ is None:
        raise TableError(f"`{source.name}` is no Parquet, Arrow, CSV, TSV or JSON lines file")
    try:
        return _read(format_, source)
    except (library("pyarrow").ArrowException, OSError, ValueError) as error:
        raise TableError(f"`{source.name}` cannot be read as {format_}: {error}") from None


def table_format(path: Path) -> str | None:
    """`parquet`, `arrow`, `arrow-stream`, `csv`, `tsv` or `jsonl`; None for any other file.

    Binary formats are known by their first bytes, text by its name. Raises TableError if the file
    cannot be opened.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise TableError(f"`{path.name}` cannot be opened: {error.strerror}") from None
    if head[:4] == b"PAR1":
        return "parquet"
    if head[:6] == b"ARROW1":
        return "arrow"
    return _SUFFIXES.get(path.suffix.lower())


def _as_arrow(table: object) -> Any:
    arrow = library("pyarrow")
    if isinstance(table, arrow.Table):
        return table
    try:
        return arrow.table(table)
    except (arrow.ArrowException, TypeError, ValueError) as error:
        raise TableError(f"a {type(table).__name__} is no table: {error}") from None


def _read(format_: str, path: Path) -> Any:
    match format_:
        case "parquet":
            with library("pyarrow.parquet").ParquetFile(path) as file:
                return file.read()
        case "arrow":
            return _read_arrow(library("pyarrow.ipc").open_file, path)
        case "arrow-stream":
            return _read_arrow(library("pyarrow.ipc").open_stream, path)
        case "jsonl":
            return library("pyarrow.json").read_json(path)
        case _:
            csv = library("pyarrow.csv")
            delimiter = "\t" if format_ == "tsv" else ","
            return csv.read_csv(path, parse_options=csv.ParseOptions(delimiter=delimiter))


def _read_arrow(open_: Any, path: Path) -> Any:
    with library("pyarrow").OSFile(str(path)) as file, open_(file) as reader:
        return reader.read_all()
