"""Checks the tables of a dataset against what is expected of them.

Cells are checked by pandera over one batch of rows after another; whatever needs all rows (keys,
unique columns, numbers of rows) is one streamed query. Failures are counted without showing cells:
those are in `examples`, at most five per check.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl

from hansard.tables.cells import SHOWN_KINDS, readable, shown
from hansard.tables.scan import kind_of_type, reading, scan_all
from infra.expectations import ColumnExpectation, Expectations
from workers.tables.cell_checks import (
    applies,
    checks_of,
    comparable,
    failed_cells,
    fits,
    schema_column,
)

MAX_EXAMPLES = 5
_BATCH_ROWS = 50_000
_COUNT = "number of rows_"


@dataclass
class CheckResult:
    """Each check with its column (None: the whole table), and whether the run must not start."""

    passed: bool = True
    blocking: bool = False
    results: list[dict[str, Any]] = field(default_factory=list)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The result as an event tells it; policies may mask `examples`."""
        return {
            "passed": self.passed,
            "blocking": self.blocking,
            "results": self.results,
            "examples": self.examples,
        }

    def add(
        self,
        check: str,
        column: str | None,
        failures: int,
        observed: Any,
        cells: Sequence[Any] = (),
    ) -> None:
        """Note the outcome of one check; it passed if nothing failed."""
        outcome = {"check": check, "column": column, "passed": not failures}
        self.results.append({**outcome, "observed": observed, "failures": failures})
        self.passed = self.passed and not failures
        if cells:
            values = [shown(cell) for cell in cells[:MAX_EXAMPLES]]
            self.examples.append({"check": check, "column": column, "values": values})


def check(paths: Sequence[Path], expectations: Expectations) -> CheckResult:
    """Whether all tables among the files, taken as one, are as expected.

    Raises TableError if there is no table, or one that cannot be read.
    """
    frame: pl.LazyFrame = scan_all(paths)
    with reading("the tables"):
        evaluation = _Evaluation(frame, expectations)
        evaluation.whole_table()
        evaluation.columns()
    result = evaluation.result
    result.blocking = not result.passed and expectations.on_failure == "block"
    return result


class _Evaluation:
    def __init__(self, frame: pl.LazyFrame, expectations: Expectations) -> None:
        self.result = CheckResult()
        self._frame = frame
        self._expected = expectations
        self._schema = frame.collect_schema()
        self._rows: int = frame.select(pl.len()).collect(engine="streaming").item()

    def whole_table(self) -> None:
        """Numbers of rows, columns that nobody expects, and the key."""
        expected = self._expected
        if (rows := expected.rows) is not None:
            low, high = rows.min or 0, self._rows if rows.max is None else rows.max
            outside = max(low - self._rows, self._rows - high, 0)
            self.result.add("rows", None, outside, self._rows)
        if expected.strict:
            known = {*expected.columns, *expected.key}
            extra = [name for name in self._schema if name not in known]
            self.result.add("strict", None, len(extra), [name[:200] for name in extra[:20]])
        if expected.key and self._present(expected.key):
            self._check_key(expected.key)

    def columns(self) -> None:
        """Types, cells, shares of nulls and uniqueness of each column."""
        there = {
            name: expected
            for name, expected in self._expected.columns.items()
            if self._present([name])
        }
        cells: dict[str, list[str]] = {}
        for name, expected in there.items():
            kind = kind_of_type(self._schema[name])
            if expected.type is not None:
                failures = 0 if fits(expected.type, kind) else max(1, self._rows)
                self.result.add("type", name, failures, kind)
            cells[name] = self._fitting_checks(name, expected, kind)
        self._check_cells({name: checks for name, checks in cells.items() if checks})
        for name, expected in there.items():
            if expected.max_null_share is not None:
                self._check_null_share(name, expected.max_null_share)
            if expected.unique:
                self._check_unique("unique", name, [name])

    def _present(self, names: Sequence[str]) -> bool:
        missing = [name for name in names if name not in self._schema]
        for name in missing:
            self.result.add("present", name, 1, None)
        return not missing

    def _fitting_checks(self, name: str, expected: ColumnExpectation, kind: str) -> list[str]:
        """The checks of cells that make sense; any other fails for all rows, and says the type."""
        wanted = checks_of(expected)
        for unfit in (check for check in wanted if not applies(check, expected, kind)):
            self.result.add(unfit, name, max(1, self._rows), kind)
        return [check for check in wanted if applies(check, expected, kind)]

    def _check_cells(self, checks: dict[str, list[str]]) -> None:
        if not checks:
            return
        aliases = {f"c{at}": name for at, name in enumerate(checks)}
        expected, schema = self._expected.columns, self._schema
        rules = pa.DataFrameSchema(
            {
                alias: schema_column(checks[name], expected[name], kind_of_type(schema[name]))
                for alias, name in aliases.items()
            }
        )
        counts = {(name, check): 0 for name, made in checks.items() for check in made}
        cells: dict[tuple[str, str], list[Any]] = {which: [] for which in counts}
        query = self._frame.select(comparable(n, schema[n]).alias(a) for a, n in aliases.items())
        for batch in query.collect_batches(chunk_size=_BATCH_ROWS, engine="streaming"):
            for failed in failed_cells(rules, batch):
                which = aliases[failed.column], failed.check
                counts[which] += failed.count
                cells[which] += failed.cells[: MAX_EXAMPLES - len(cells[which])]
        for (name, check_), failures in counts.items():
            self.result.add(check_, name, failures, None, cells[name, check_])

    def _check_null_share(self, name: str, most: float) -> None:
        missing = comparable(name, self._schema[name]).is_null().sum()
        nulls: int = self._frame.select(missing).collect(engine="streaming").item()
        share = nulls / self._rows if self._rows else 0.0
        self.result.add("max_null_share", name, nulls if share > most else 0, share)

    def _check_key(self, key: list[str]) -> None:
        holes = pl.any_horizontal(pl.col(name).is_null() for name in key)
        nulls: int = self._frame.select(holes.sum()).collect(engine="streaming").item()
        label = ", ".join(key)[:200]
        self.result.add("key_not_null", label, nulls, None)
        self._check_unique("key_unique", label, key)

    def _check_unique(self, check: str, label: str, names: list[str]) -> None:
        """Counts the rows beyond the first of each value; nulls equal nothing."""
        groups = self._frame.select(names).drop_nulls().group_by(names).agg(pl.len().alias(_COUNT))
        twice = groups.filter(pl.col(_COUNT) > 1)
        beyond: int = twice.select((pl.col(_COUNT) - 1).sum()).collect(engine="streaming").item()
        kept = [name for name in names if kind_of_type(self._schema[name]) in SHOWN_KINDS]
        cells: list[Any] = []
        if beyond and kept:
            first = (
                twice.select(kept)
                .sort(kept)
                .head(MAX_EXAMPLES)
                .select(readable(pl.col(name), self._schema[name]).alias(name) for name in kept)
            )
            rows = first.collect(engine="streaming").rows()
            cells = [[shown(c) for c in row] if len(row) > 1 else row[0] for row in rows]
        self.result.add(check, label, beyond, None, cells)
