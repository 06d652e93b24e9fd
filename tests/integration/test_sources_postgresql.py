"""The PostgreSQL source against a real server: types, order, snapshot, and what it refuses."""

import datetime
import json
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hansard.sources import (
    AddressRefused,
    QueryRefused,
    SourceChanged,
    SourceDenied,
    SourceUnavailable,
    check_reference,
    fetch,
    open_source,
    reference,
)
from hansard.sources.libraries import require
from tests.integration.conftest import Servers

PASSWORD = "hunter2"


@pytest.fixture
def database(servers: Servers) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a new database without a password, and the credentials."""
    name = f"source_{uuid.uuid4().hex}"
    with psycopg.connect(servers.postgres_superuser, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        info = connection.info
        credentials = {"user": info.user, "password": info.password}
        yield f"postgresql://{info.host}:{info.port}/{name}", credentials
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def connected(database: tuple[str, dict[str, str]]) -> "psycopg.Connection[Any]":
    address, who = database
    return psycopg.connect(address, user=who["user"], password=who["password"], autocommit=True)


def rows(database: tuple[str, dict[str, str]], query: str, **options: Any) -> Any:
    given = {"order_by": "id", "allow_private": True, "credentials": database[1], **options}
    return open_source(database[0], query=query, **given)


def table(source: Any, folder: Path) -> Any:
    with source:
        fetch(source, folder)
    return require("pyarrow.parquet").read_table(folder / "rows.parquet")


TYPED = """
SELECT 1 AS id, true AS truth, 2::smallint AS small, 3::bigint AS large, 1.5::real AS single,
  0.1::double precision AS double, 12.340::numeric(10, 3) AS price, 1.25::numeric AS open,
  12345678901234567890123456789012345678901234567890::numeric(60, 2) AS wide,
  'text' AS plain, '\\x00ff'::bytea AS raw, DATE '2026-02-03' AS day, TIME '01:02:03.5' AS clock,
  TIMESTAMP '2026-02-03 04:05:06.789' AS local,
  TIMESTAMPTZ '2026-02-03 04:05:06+02' AS moment, INTERVAL '1 month 2 days' AS span,
  '{"b": 1,  "a": [1.0]}'::json AS document, ARRAY[1, NULL, 3] AS numbers,
  ARRAY['a', 'b,c'] AS words, ARRAY['{"a": 1}'::json] AS documents,
  '11111111-2222-3333-4444-555555555555'::uuid AS uuid, '10.0.0.0/8'::inet AS net,
  int4range(1, 5) AS range, NULL::integer AS nothing
"""
VALUES = {
    "id": 1,
    "truth": True,
    "small": 2,
    "large": 3,
    "single": 1.5,
    "double": 0.1,
    "price": Decimal("12.340"),
    "open": Decimal("1.25"),
    "wide": Decimal(12345678901234567890123456789012345678901234567890),
    "plain": "text",
    "raw": b"\x00\xff",
    "day": datetime.date(2026, 2, 3),
    "clock": datetime.time(1, 2, 3, 500_000),
    "local": datetime.datetime(2026, 2, 3, 4, 5, 6, 789_000),  # noqa: DTZ001 - it has no zone
    "moment": datetime.datetime(2026, 2, 3, 2, 5, 6, tzinfo=datetime.UTC),
    "span": "P1M2D",
    "document": '{"b": 1,  "a": [1.0]}',
    "numbers": [1, None, 3],
    "words": ["a", "b,c"],
    "documents": ['{"a": 1}'],
    "uuid": "11111111-2222-3333-4444-555555555555",
    "net": "10.0.0.0/8",
    "range": "[1,5)",
    "nothing": None,
}


def test_types_of_postgresql_are_kept(database: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    found = table(rows(database, TYPED), tmp_path / "copy")
    assert found.to_pylist() == [VALUES]
    assert str(found.schema.field("price").type) == "decimal128(10, 3)"
    assert str(found.schema.field("moment").type) == "timestamp[us, tz=UTC]"
    assert found.schema.field("document").metadata == {b"database_type": b"json"}


def test_rows_come_in_order_by_bytes_from_one_snapshot(
    database: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    with connected(database) as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT n AS id, chr(64 + n % 60) || n AS name"
            " FROM generate_series(1, 30000) AS n"
        )
    source = rows(
        database,
        "SELECT * FROM t WHERE id > %(least)s",
        order_by=["name", "id desc"],
        parameters={"least": 5},
    )
    found = table(source, tmp_path / "copy")
    names = found["name"].to_pylist()
    assert len(names) == 29_995
    assert names == sorted(names)
    document = source.fingerprint()
    assert document["row_count"] == 29_995
    assert document["tied_rows"] == 0
    assert document["wal_lsn"].count("/") == 1
    assert document["snapshot"].count(":") == 2


def test_a_percent_sign_is_one_where_no_parameters_are_given(
    database: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    plain = rows(database, 'SELECT 7 % 4 AS "id%"', order_by="id%")
    assert table(plain, tmp_path / "plain").to_pylist() == [{"id%": 3}]
    bound = rows(database, 'SELECT %s %% 4 AS "id%%"', order_by="id%", parameters=[7])
    assert table(bound, tmp_path / "bound").to_pylist() == [{"id%": 3}]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT 1) AS a; COMMIT; DROP TABLE kept; SELECT * FROM (SELECT 1", "multiple commands"),
        ("SELECT 1 AS id /*", "unterminated"),
        ("DELETE FROM kept RETURNING 1 AS id", "syntax error"),
        ("SELECT nextval('counter') AS id", "read-only"),
        ("SELECT set_config('transaction_read_only', 'off', false) AS id", "read-write mode"),
        ("SELECT 1 AS id, 2 AS id", "two columns are named `id`"),
        ("SELECT 1 AS other", "order_by names `id`, the rows have: other"),
        ("SELECT 1 AS id, 'infinity'::date AS day", "."),
        ("SELECT 1 AS id, 1.23456789012345678901::numeric AS x", "cast it in the query"),
        ("SELECT 1 AS id, 'NaN'::numeric AS x", "cast it in the query"),
        ("SELECT 1 AS id, ARRAY[[1, 2]] AS x", "cast it in the query"),
        ("SELECT 1 AS id, 1::numeric(90, 2) AS x", "at most 76 digits"),
        ("SELECT 1 AS id, nope FROM kept", "does not exist"),
    ],
)
def test_a_query_that_writes_or_cannot_be_kept_is_refused(
    database: tuple[str, dict[str, str]], query: str, reason: str
) -> None:
    with connected(database) as connection:
        connection.execute("CREATE TABLE kept (a int); CREATE SEQUENCE counter")
        with rows(database, query) as source, pytest.raises(QueryRefused, match=reason):
            source.list()
        assert connection.execute("SELECT to_regclass('kept')::text").fetchone() == ("kept",)


def test_a_slow_query_is_cut_by_the_server(database: tuple[str, dict[str, str]]) -> None:
    with (
        rows(database, "SELECT 1 AS id, pg_sleep(60)", timeout_s=0.2) as source,
        pytest.raises(SourceUnavailable, match="longer than allowed"),
    ):
        source.list()


def test_secrets_of_a_database_appear_nowhere(database: tuple[str, dict[str, str]]) -> None:
    secret = "parameter-secret"
    with rows(database, "SELECT %s::text AS id", parameters=[secret]) as source:
        texts = [json.dumps(source.fingerprint()), repr(source)]
    wrong = {"user": database[1]["user"], "password": "wrong-" + PASSWORD}
    with (
        rows(database, "SELECT 1 AS id", credentials=wrong) as source,
        pytest.raises(SourceDenied) as denied,
    ):
        source.list()
    with (
        rows(database, "SELECT %s::int AS id", parameters=[secret]) as source,
        pytest.raises(QueryRefused) as refused,
    ):
        source.list()
    for text in (*texts, str(denied.value), str(refused.value)):
        for word in (secret, PASSWORD, database[1]["password"], database[1]["user"] + ":"):
            assert word not in text


def test_a_private_database_is_refused_unless_permitted(
    database: tuple[str, dict[str, str]],
) -> None:
    with (
        rows(database, "SELECT 1 AS id", allow_private=False) as source,
        pytest.raises(AddressRefused, match="private network"),
    ):
        source.list()


def test_a_reference_to_rows_holds_until_they_change(
    database: tuple[str, dict[str, str]],
) -> None:
    query = "SELECT * FROM t"
    with connected(database) as connection:
        connection.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (2), (1)")
        with rows(database, query) as source:
            document = json.loads(json.dumps(reference(source)))
        connection.execute("DELETE FROM t; INSERT INTO t VALUES (1), (2)")
        with rows(database, query) as source:
            check_reference(document, source)
        connection.execute("UPDATE t SET id = 3 WHERE id = 2")
        with rows(database, query) as source, pytest.raises(SourceChanged, match="the rows"):
            check_reference(document, source)
