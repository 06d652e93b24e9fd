"""Real patients, of whom age, sex and body mass could be known from elsewhere."""

import math

import polars as pl
import pytest
from anonymise import Anonymise
from coarser import LEVELS, coarser
from patients import Patients

KNOWN = ["age", "sex", "body_mass"]


class Table:
    def __init__(self, table):
        self._table = table

    def table(self):
        return self._table


@pytest.fixture
def logged(monkeypatch):
    """The tables that were logged as files."""
    found = []
    monkeypatch.setattr("hansard.log_file", lambda path: found.append(pl.read_parquet(path)))
    return found


@pytest.mark.parametrize("k", [2, 5, 20])
def test_every_combination_of_what_is_known_occurs_k_times(logged, k):
    executor = Anonymise()
    executor.data = Patients()
    results = executor.execute(identifiers=["patient"], known=KNOWN, k=k)
    [table] = logged
    assert table.group_by(KNOWN).len()["len"].min() == results["k"] >= k
    assert results["rows"] == len(table) == 442 - results["rows_left_out"]
    assert results["rows_left_out"] <= 0.05 * 442
    assert table.columns == Patients().table().columns
    assert results["groups"] > 1 or k == 20


def test_pseudonyms_hold_within_a_run_and_tell_nothing(logged):
    table = pl.DataFrame({"name": ["ann", "bob", "ann", None], "mail": ["ann", "x", "y", "z"]})
    executor = Anonymise()
    executor.data = Table(table)
    for _ in range(2):
        executor.execute(identifiers=["name", "mail"], known=[], k=2)
    first, second = logged
    assert first["name"][0] == first["name"][2] != first["name"][1]
    assert first["name"][3] is None
    assert first["name"][0] != first["mail"][0]
    assert not {*first["name"].drop_nulls()} & {*second["name"].drop_nulls()}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"known": ["ages"]}, "no column 'ages', but patient, age"),
        ({"known": ["patient"]}, "patient cannot be"),
        ({"k": 1}, "`k` is at least 2"),
        ({"k": 443}, "442 rows"),
    ],
)
def test_what_makes_no_sense_is_refused(logged, wrong, why):
    executor = Anonymise()
    executor.data = Patients()
    with pytest.raises(ValueError, match=why):
        executor.execute(**({"identifiers": ["patient"], "known": KNOWN} | wrong))
    assert logged == []


def test_without_leaving_rows_out_the_table_is_made_as_coarse_as_it_must_be(logged):
    executor = Anonymise()
    executor.data = Table(pl.DataFrame({"age": [20, 21, 90], "city": ["Bern", "Berlin", "Rome"]}))
    results = executor.execute(identifiers=[], known=["age", "city"], k=3, most_left_out=0.0)
    assert (results["k"], results["rows"], results["rows_left_out"]) == (3, 3, 0)
    assert logged[0]["age"].to_list() == ["*"] * 3


def test_columns_become_coarser_level_by_level():
    ages = pl.Series("age", [0.0, 31.0, 64.0, None, math.nan])
    levels = [coarser(ages, level).to_list() for level in range(1, LEVELS + 1)]
    assert levels[0] == ["[0, 2)", "[30, 32)", "[62, 64)", None, "NaN"]
    assert levels[4] == ["[0, 32)", "[0, 32)", "[32, 64)", None, "NaN"]
    assert levels[5] == ["*"] * 5
    assert coarser(pl.Series("x", [0.0, 64.0, math.inf]), 5).to_list()[2] == "[32, 64)"
    codes = pl.Series("code", ["10115", "10999", "80331"])
    assert coarser(codes, 2).to_list() == ["101*", "109*", "803*"]
    assert coarser(codes, 5).to_list() == ["*", "*", "*"]
    assert coarser(pl.Series("same", [3, 3]), 1).to_list() == ["*", "*"]
