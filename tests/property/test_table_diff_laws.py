"""Laws of the difference of two tables, against a plain model in Python."""

import tempfile
from collections import Counter
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from hansard.tables.diff import Diff, diff

TYPES = {"id": pl.Int64, "x": pl.Float64, "t": pl.String}
Row = tuple[int | None, float | None, str | None]
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 4),
        st.none() | st.sampled_from([0.0, 1.5, float("inf")]),
        st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=2),
    ),
    max_size=12,
)


def compared(before: list[Row], after: list[Row], key: list[str] | None) -> Diff:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("a.parquet", "b.parquet")]
        for file, rows in zip(files, (before, after), strict=True):
            pl.DataFrame(rows, schema=TYPES, orient="row").write_parquet(file)
        return diff(files[:1], files[1:], key)


@settings(max_examples=150, deadline=None)
@given(ROWS, ROWS)
def test_without_a_key_the_difference_is_that_of_bags(before: list[Row], after: list[Row]) -> None:
    found = compared(before, after, None)
    old, new = Counter(before), Counter(after)
    assert (found.added, found.removed) == ((new - old).total(), (old - new).total())


@settings(max_examples=150, deadline=None)
@given(ROWS, ROWS)
def test_by_key_rows_cancel_out_within_their_key(before: list[Row], after: list[Row]) -> None:
    found = compared(before, after, ["id"])
    added = removed = changed = 0
    for key in {row[0] for row in before + after}:
        old, new = (Counter(row for row in rows if row[0] == key) for rows in (before, after))
        plus, minus = (new - old).total(), (old - new).total()
        changed += min(plus, minus)
        added += plus - min(plus, minus)
        removed += minus - min(plus, minus)
    assert (found.added, found.removed, found.changed) == (added, removed, changed)
    assert found.rows_after == found.rows_before - found.removed + found.added
    for version, rows in (("before", before), ("after", after)):
        counts = Counter(row[0] for row in rows)
        assert found.duplicate_keys[version] == sum(n > 1 for n in counts.values())


@settings(max_examples=50, deadline=None)
@given(ROWS, ROWS, st.sampled_from([None, ["id"], ["id", "t"]]))
def test_the_way_back_swaps_what_came_and_went(
    before: list[Row], after: list[Row], key: list[str] | None
) -> None:
    there, back = compared(before, after, key), compared(after, before, key)
    assert (there.added, there.removed) == (back.removed, back.added)
    assert (there.changed, there.changed_columns) == (back.changed, back.changed_columns)


@settings(max_examples=50, deadline=None)
@given(ROWS, st.randoms(), st.sampled_from([None, ["id"], ["id", "t"]]))
def test_order_is_no_difference(rows: list[Row], random: object, key: list[str] | None) -> None:
    shuffled = sorted(rows, key=lambda _: random.random())  # type: ignore[attr-defined]
    found = compared(rows, shuffled, key)
    assert (found.added, found.removed, found.changed or 0) == (0, 0, 0)
