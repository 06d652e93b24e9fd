"""Columns with coarser values: wider intervals for numbers, shorter beginnings for text."""

from itertools import pairwise

import polars as pl

LEVELS = 6
"""At the last level nothing of a column is left but `*`."""


def coarser(values: pl.Series, level: int) -> pl.Series:
    """The column at a level from 1 to `LEVELS`: with each, intervals are twice as wide.

    Numbers become text such as `[30, 40)`, text keeps so many of its first characters less.
    """
    if level >= LEVELS:
        return _everything(values)
    if values.dtype.is_numeric():
        return _intervals(values, 2 ** (LEVELS - level))
    text = values.cast(pl.String)
    longest = int(text.str.len_chars().max() or 0)
    kept = longest - -(-longest * level // LEVELS)
    return (text.str.slice(0, kept) + "*").alias(values.name) if kept else _everything(values)


def _intervals(values: pl.Series, number: int) -> pl.Series:
    """So many intervals of the same width over all values, NaN and null apart."""
    finite = values.cast(pl.Float64).drop_nulls()
    finite = finite.filter(finite.is_finite())
    if finite.n_unique() < 2:
        return _everything(values)
    low, high = min(finite), max(finite)
    edges = [low + (high - low) * at / number for at in range(number + 1)]
    names = [f"[{left:.6g}, {right:.6g})" for left, right in pairwise(edges)]
    width = (high - low) / number
    places = ((values.cast(pl.Float64) - low) / width).floor().clip(0, number - 1)
    found = [
        None if place is None else "NaN" if place != place else names[int(place)]
        for place in places.to_list()
    ]
    return pl.Series(values.name, found, dtype=pl.String)


def _everything(values: pl.Series) -> pl.Series:
    return pl.Series(values.name, ["*"] * len(values), dtype=pl.String)
