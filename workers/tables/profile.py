"""What lies in the tables of a dataset: counts, types, ranges and quantiles, and some cells.

A table is read in passes over some of its columns each, as a stream, so that memory does not grow
with the rows. Numbers of distinct values are estimates. Quantiles and top values are exact for
tables of up to 200,000 rows and taken from about as many random rows (the same ones each time)
beyond that: a quantile is then off by about 0.1 % of the rows, `sampled_rows` tells.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from hansard.tables import TableError
from hansard.tables.cells import MAX_CELL_CHARS, SHOWN_KINDS, readable, shown
from hansard.tables.scan import TableGroup, batched_names, group_tables, kind_of_type, reading
from workers.tables.column_profile import column_profile, statistics
from workers.tables.file_counts import count_files

MAX_COLUMNS = 2_000
MAX_ROWS_SHOWN = 5
SAMPLE_ROWS = 200_000
_COLUMNS_COUNTED_AT_ONCE = 100
_COLUMNS_SAMPLED_AT_ONCE = 20
_SEED = 20_260_101
_Column = tuple[dict[str, Any], dict[str, Any]]


@dataclass
class Profile:
    """A dataset's profile; everything that shows cells as they are is in `examples`.

    Both hold one item per group of tables with one format and schema, in the same order.
    """

    tables: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    unreadable: list[dict[str, Any]] = field(default_factory=list)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """`profile` and `examples`; policies may mask the second."""
        profile = {"tables": self.tables, "files": self.files, "unreadable": self.unreadable}
        return {"profile": profile, "examples": {"tables": self.examples}}


def profile(paths: Sequence[Path]) -> Profile:
    """The profile of the files. What cannot be read is listed with a reason, never an error."""
    files = group_tables(paths)
    made = Profile(files=count_files(files.others))
    for lost in files.unreadable:
        made.unreadable.append(_lost(lost.format, [lost.path], lost.reason))
    for group in files.groups:
        try:
            with reading(f"{len(group.paths)} files as {group.format}"):
                table, examples = _table(group)
        except TableError as error:
            made.unreadable.append(_lost(group.format, group.paths, str(error)))
            continue
        made.tables.append(table)
        made.examples.append(examples)
    return made


def _lost(format_: str, paths: Sequence[Path], reason: str) -> dict[str, Any]:
    return {**_size(format_, paths), "reason": reason}


def _size(format_: str, paths: Sequence[Path]) -> dict[str, Any]:
    size = sum(path.stat().st_size for path in paths)
    return {"format": format_, "files": len(paths), "bytes": size}


def _table(group: TableGroup) -> _Column:
    names = list(group.schema.names())[:MAX_COLUMNS]
    rows = group.scan().select(pl.len()).collect(engine="streaming").item()
    sample = _Sample(group, rows)
    columns = [
        column
        for some in batched_names(names, _COLUMNS_COUNTED_AT_ONCE)
        for column in _columns(group, some, sample)
    ]
    table = {
        **_size(group.format, group.paths),
        "rows": rows,
        "sampled_rows": sample.rows,
        "distinct_is": "approximate",
        "columns": [described for described, _ in columns],
        "left_out": [name[:MAX_CELL_CHARS] for name in group.schema.names()[MAX_COLUMNS:]],
    }
    return table, {"columns": [cells for _, cells in columns], "rows": _first_rows(group, names)}


def _columns(group: TableGroup, names: Sequence[str], sample: "_Sample") -> Iterator[_Column]:
    wanted = {name: statistics(name, group.schema[name]) for name in names}
    numbered = [each for of_column in wanted.values() for each in of_column.values()]
    query = group.scan().select(each.alias(str(at)) for at, each in enumerate(numbered))
    values = iter(query.collect(engine="streaming").row(0))
    found = {name: dict(zip(wanted[name], values, strict=False)) for name in names}
    for some in batched_names(names, _COLUMNS_SAMPLED_AT_ONCE):
        cells = sample.cells(some)
        for name in some:
            yield column_profile(name, group.schema[name], found[name], cells.get(name))


class _Sample:
    """The rows from which quantiles and top values are taken."""

    def __init__(self, group: TableGroup, rows: int) -> None:
        self._group = group
        self._one_in = max(1, rows // SAMPLE_ROWS)
        self.rows = rows if self._one_in == 1 else self._chosen().select(pl.len()).collect().item()

    def cells(self, names: Sequence[str]) -> dict[str, pl.Series]:
        """The sampled cells of those columns that are shown."""
        schema = self._group.schema
        kept = [name for name in names if kind_of_type(schema[name]) in SHOWN_KINDS]
        chosen = self._chosen().select(
            readable(pl.col(name), schema[name]).alias(str(at)) for at, name in enumerate(kept)
        )
        sampled = chosen.collect(engine="streaming").get_columns()
        return dict(zip(kept, sampled, strict=True))

    def _chosen(self) -> pl.LazyFrame:
        rows: pl.LazyFrame = self._group.scan()
        if self._one_in == 1:
            return rows
        number = _unused_name(self._group.schema.names())
        chosen = pl.col(number).hash(_SEED) % self._one_in == 0
        return rows.with_row_index(number).filter(chosen)


def _unused_name(names: Sequence[str]) -> str:
    return "row" + "_" * max((len(name) for name in names), default=0)


def _first_rows(group: TableGroup, names: Sequence[str]) -> list[dict[str, Any]]:
    kept = [name for name in names if kind_of_type(group.schema[name]) in SHOWN_KINDS]
    cells = [readable(pl.col(name), group.schema[name]).alias(name) for name in kept]
    if not cells:
        return []
    first = group.scan().head(MAX_ROWS_SHOWN).select(cells).collect(engine="streaming")
    return [
        {name: shown(cell) for name, cell in row.items()} for row in first.iter_rows(named=True)
    ]
