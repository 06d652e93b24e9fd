"""Make a table k-anonymous: every combination of what could be known from elsewhere occurs k times.

Source: Sweeney, Achieving k-anonymity privacy protection using generalization and suppression
(2002): the column with most values is made coarser, until few enough rows are rare.
"""

import hashlib
import hmac
import secrets
import tempfile
from pathlib import Path
from typing import Protocol

import polars as pl
from coarser import LEVELS, coarser

import hansard


class TableData(Protocol):
    """Loads a table; this role is the bundle's own."""

    def table(self) -> pl.DataFrame:
        """One row for each person."""


class Anonymise(hansard.Executor):
    """The file `anonymous.parquet` is logged. No other column may tell who somebody is."""

    data: hansard.Slot[TableData]

    def execute(
        self,
        identifiers: list[str],
        known: list[str],
        k: int = 5,
        most_left_out: float = 0.05,
    ) -> dict[str, object]:
        """`identifiers` become pseudonyms, columns `known` from elsewhere become coarser.

        Pseudonyms hold within this run alone: their key is drawn for it and kept nowhere. At most
        the share `most_left_out` of the rows is left out; fails if that and the coarsest values
        do not do.
        """
        table = self.data.table()
        _check(table, identifiers, known, k)
        levels = dict.fromkeys(known, 0)
        found = table
        while (rare := _rare(found, known, k)) > most_left_out * len(table):
            name = _finest(found, levels)
            levels[name] += 1
            found = found.with_columns(coarser(table[name], levels[name]))
        found = found.filter(pl.len().over(known) >= k) if known else found
        key = secrets.token_bytes(32)
        found = found.with_columns(_pseudonyms(found[name], key) for name in identifiers)
        _log(found)
        return {
            "rows": len(found),
            "rows_left_out": rare,
            "k": _smallest_group(found, known),
            "groups": found.select(known).n_unique() if known else 1,
            "levels": levels,
        }


def _check(table: pl.DataFrame, identifiers: list[str], known: list[str], k: int) -> None:
    for name in (*identifiers, *known):
        if name not in table.columns:
            raise ValueError(f"the table has no column {name!r}, but {', '.join(table.columns)}")
    if twice := {*identifiers} & {*known}:
        raise ValueError(f"{', '.join(sorted(twice))} cannot be identifier and known at once")
    if k < 2:
        raise ValueError(f"`k` is at least 2, not {k}")
    if len(table) < k:
        raise ValueError(f"a table of {len(table)} rows cannot be {k}-anonymous")


def _rare(table: pl.DataFrame, known: list[str], k: int) -> int:
    """How many rows are in groups of fewer than k."""
    if not known:
        return 0
    sizes = table.group_by(known).len()["len"]
    return int(sizes.filter(sizes < k).sum())


def _finest(table: pl.DataFrame, levels: dict[str, int]) -> str:
    """The column with most values that can still be made coarser."""
    left = [name for name, level in levels.items() if level < LEVELS]
    if not left:
        raise ValueError("too many rows are rare even where all that is known is left out")
    return max(left, key=lambda name: table[name].n_unique())


def _smallest_group(table: pl.DataFrame, known: list[str]) -> int:
    if not known or table.is_empty():
        return len(table)
    smallest = table.group_by(known).len()["len"].min()
    assert isinstance(smallest, int)
    return smallest


def _pseudonyms(values: pl.Series, key: bytes) -> pl.Series:
    """Equal values get equal pseudonyms, and none can be tried out without the key."""

    def pseudonym(value: object) -> str:
        return hmac.new(key, f"{values.name}:{value}".encode(), hashlib.sha256).hexdigest()[:16]

    named = [None if value is None else pseudonym(value) for value in values.to_list()]
    return pl.Series(values.name, named, dtype=pl.String)


def _log(table: pl.DataFrame) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "anonymous.parquet"
        table.write_parquet(path)
        hansard.log_file(path)
