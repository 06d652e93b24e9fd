"""Queries of SQLite files: types, order, one snapshot, nothing but reading."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from hansard.sources import (
    AddressRefused,
    QueryRefused,
    SourceChanged,
    SourceMissing,
    SourceUnavailable,
    check_reference,
    fetch,
    open_source,
    reference,
)
from hansard.sources.libraries import require
from hansard.sources.parquet import BATCH_ROWS
from hansard.sources.sqlite import SqliteSource

ROWS = BATCH_ROWS * 2 + 100


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "data.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t (id INTEGER, x REAL, name TEXT, raw BLOB, empty)")
        rows = ((n, n / 7, f"name {n}", bytes([n % 256]), None) for n in reversed(range(ROWS)))
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)
    return path


def opened(path: Path, query: str = "SELECT * FROM t", **options: Any) -> Any:
    return open_source(f"sqlite:///{path}", query=query, **{"order_by": "id", **options})


def table(source: Any, folder: Path) -> Any:
    fetch(source, folder)
    return require("pyarrow.parquet").read_table(folder / "rows.parquet")


def test_rows_come_in_the_stated_order_with_their_types(database: Path, tmp_path: Path) -> None:
    with opened(database) as source:
        found = table(source, tmp_path / "copy")
    types = [str(kind) for kind in found.schema.types]
    assert types == ["int64", "double", "string", "binary", "null"]
    assert found["id"].to_pylist() == list(range(ROWS))
    assert found["x"][5].as_py() == 5 / 7
    assert found["raw"][300].as_py() == bytes([300 % 256])
    assert found.schema.field("raw").metadata == {b"database_type": b"blob"}


def test_the_query_may_be_in_the_address(database: Path, tmp_path: Path) -> None:
    address = f"sqlite:///{database}?query=SELECT%20id%20FROM%20t%20WHERE%20id<3&order_by=id%20desc"
    with open_source(address) as source:
        assert table(source, tmp_path / "copy")["id"].to_pylist() == [2, 1, 0]
    with pytest.raises(AddressRefused, match="given twice"):
        open_source(address, query="SELECT 1 AS id")


def test_parameters_are_bound_and_only_their_digest_is_kept(database: Path) -> None:
    query = "SELECT id FROM t WHERE name = :wanted"
    with opened(database, query, parameters={"wanted": "name 41"}) as source:
        found = source.fingerprint()
    assert found["row_count"] == 1
    assert found["query"] == query
    assert len(found["parameters_digest"]) == 64
    assert "name 41" not in str(found) + repr(source)


def test_a_query_without_an_order_is_refused_with_the_reason(database: Path) -> None:
    for order in (None, "", " , "):
        with pytest.raises(QueryRefused, match="not reproducible"):
            opened(database, order_by=order)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "give a query="),
        ("SELECT name FROM t", "order_by names `id`, the rows have: name"),
        ("SELECT * FROM nowhere", "no such table"),
        ("SELECT 1 AS id) ; DELETE FROM t; --", "one statement|syntax error"),
        ("DELETE FROM t RETURNING id", "syntax error"),
        ("ATTACH '/tmp/x.db' AS other", "syntax error"),
        ("SELECT name AS id FROM pragma_table_info('t')", "not authorized|prohibited"),
        ("SELECT load_extension('x') AS id", "not authorized|prohibited"),
        ("SELECT 1 AS id UNION ALL SELECT 'a'", "several types"),
        ("SELECT 0.5 AS id UNION ALL SELECT 9007199254740993", "cannot keep exactly"),
        ("SELECT CAST(x'ff' AS TEXT) AS id", "UTF-8"),
        ("SELECT id FROM t WHERE id = ?", "supplied"),
    ],
)
def test_a_query_that_cannot_be_kept_is_refused(database: Path, query: str, reason: str) -> None:
    with pytest.raises(QueryRefused, match=reason), opened(database, query) as source:
        source.list()
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (ROWS,)


def test_a_comment_at_the_end_of_a_query_does_not_swallow_the_order(database: Path) -> None:
    with opened(database, "SELECT id FROM t -- all of them") as source:
        assert source.fingerprint()["row_count"] == ROWS


def test_rows_that_tie_in_the_order_are_counted_and_named_as_the_reason(database: Path) -> None:
    query = "SELECT id, id / 2 AS half FROM t WHERE id < 10"
    with opened(database, query, order_by="half") as source:
        found = source.fingerprint()
    assert found["tied_rows"] == 5
    assert "add columns to order_by" in found["why"]
    with opened(database, query, order_by=["half", "id desc"]) as source:
        assert source.fingerprint()["tied_rows"] == 0


def test_equal_rows_do_not_tie(database: Path) -> None:
    with opened(database, "SELECT 1 AS id FROM t") as source:
        assert source.fingerprint()["tied_rows"] == 0


def test_the_same_rows_give_the_same_bytes_and_a_file_digest(database: Path) -> None:
    with opened(database) as first, opened(database) as second:
        assert b"".join(first.open("rows.parquet")) == b"".join(second.open("rows.parquet"))
        assert b"".join(first.open("rows.parquet", 0, 4)) == b"PAR1"
        found = first.fingerprint()
    assert found["file_digest"] == blake3(database.read_bytes()).hexdigest()
    assert found["journal_mode"] == "delete"


def test_a_write_while_reading_is_noticed(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        source = opened(database)
        from_rows = SqliteSource.read.__globals__["_batches"]

        def writing(*arguments: Any) -> Iterator[Any]:
            with writer:
                writer.execute("INSERT INTO t (id) VALUES (-1)")
            yield from from_rows(*arguments)

        monkeypatch.setitem(SqliteSource.read.__globals__, "_batches", writing)
        with source, pytest.raises(SourceChanged, match="written to while it was read"):
            source.list()
        monkeypatch.undo()
        with opened(database) as again:
            assert again.fingerprint()["row_count"] == ROWS + 1


def test_a_locked_database_and_a_slow_query_are_unavailable(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n"
    with (
        opened(database, endless, timeout_s=0.1) as source,
        pytest.raises(SourceUnavailable, match="longer than allowed"),
    ):
        source.list()
    monkeypatch.setattr("hansard.sources.sqlite._BUSY_S", 0.01)
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with (
            opened(database) as source,
            pytest.raises(SourceUnavailable, match="locked by a writer"),
        ):
            source.list()


def test_locks_of_other_connections_of_this_process_outlive_the_reading(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with opened(database) as source:
            source.list()
        script = (
            "import sqlite3, sys\n"
            "sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
        )
        command = [sys.executable, "-I", "-c", script, str(database)]
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "database is locked" in second.stderr
        writer.execute("ROLLBACK")


def test_what_is_no_database_is_refused(tmp_path: Path, database: Path) -> None:
    (tmp_path / "text").write_text("no database")
    (tmp_path / "link").symlink_to(database)
    for name in ("text", "link", "nothing"):
        with opened(tmp_path / name) as source, pytest.raises(SourceMissing):
            source.list()
    assert not (tmp_path / "nothing").exists()


def test_a_reference_to_rows_says_what_moved(database: Path) -> None:
    with opened(database) as source:
        document = reference(source)
    with opened(database) as source:
        check_reference(document, source)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE t SET x = 1 WHERE id = 9")
    with opened(database) as source, pytest.raises(SourceChanged, match="the rows changed"):
        check_reference(document, source)
    with (
        opened(database, "SELECT id FROM t") as source,
        pytest.raises(SourceChanged, match="the query changed"),
    ):
        check_reference(document, source)


def test_closing_removes_the_temporary_file(database: Path) -> None:
    source = opened(database)
    source.list()
    folder = Path(source._folder)
    assert (folder / "rows.parquet").exists()
    source.close()
    assert not folder.exists()


def test_after_an_inserted_row_the_same_groups_of_rows_come_again(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hansard.sources.sqlite.BATCH_ROWS", 100)
    monkeypatch.setattr("hansard.sources.parquet._MIN_GROUP_ROWS", 1_000)
    monkeypatch.setattr("hansard.sources.parquet._ROWS_PER_CUT", 512)
    firsts = []
    for left_out in (-1, 4_000):
        query = "SELECT id FROM t WHERE id != :left_out"
        with opened(database, query, parameters={"left_out": left_out}) as source:
            fetch(source, tmp_path / str(left_out))
        with require("pyarrow.parquet").ParquetFile(tmp_path / str(left_out) / "rows.parquet") as f:
            groups = [f.read_row_group(n)["id"].to_pylist() for n in range(f.num_row_groups)]
        assert sum(map(len, groups)) == ROWS - (left_out >= 0)
        firsts.append({group[0] for group in groups})
    assert len(firsts[0]) > 5
    assert len(firsts[0] - firsts[1]) <= 1
