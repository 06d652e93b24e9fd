"""Every operator on the boundary values of every type: Python and PostgreSQL must agree."""

from collections.abc import Iterator
from itertools import islice

import pytest

from infra.database import Connection, connect
from policies.condition import NULL_TESTS, ORDERED
from policies.schema import Type
from tests.integration.atom_table import AtomTable, Family, other_order
from tests.integration.conftest import Servers
from tests.policy_cases import (
    ANY_JSON,
    BIGINT,
    BOOLEAN,
    DOUBLE,
    KEYS,
    ONE,
    TEXT,
    TEXTS,
    TIMESTAMP,
    WHOLE,
    json_kind,
)

EQUAL = ("==", "!=")
ORDER = (*EQUAL, *ORDERED)
JSON_TEXT, JSON_SET = json_kind(Type.STR), json_kind(Type.SET)
FAMILIES = (
    Family(TEXT, TEXT, (*ORDER, "prefix")),
    Family(TEXT, TEXTS, ("in",)),
    Family(TEXT, KEYS, ("in",)),
    Family(TEXT, JSON_SET, ("in",)),
    Family(TEXTS, TEXTS, ("overlap",)),
    Family(TEXTS, KEYS, ("overlap",)),
    Family(JSON_SET, KEYS, ("overlap",)),
    Family(BIGINT, BIGINT, ORDER),
    Family(BOOLEAN, BOOLEAN, EQUAL),
    Family(TIMESTAMP, TIMESTAMP, ORDER),
    Family(DOUBLE, DOUBLE, ORDER),
    Family(WHOLE, DOUBLE, ORDER),
    Family(JSON_TEXT, TEXT, (*ORDER, "prefix")),
    Family(JSON_TEXT, JSON_SET, ("in",)),
    Family(JSON_TEXT, TEXTS, ("in",)),
    Family(JSON_TEXT, KEYS, ("in",)),
    Family(json_kind(Type.INT), BIGINT, ORDER),
    Family(json_kind(Type.FLOAT), DOUBLE, ORDER),
    Family(json_kind(Type.BOOL), BOOLEAN, EQUAL),
    *(
        Family(kind, ONE, NULL_TESTS)
        for kind in (TEXT, BIGINT, BOOLEAN, TIMESTAMP, TEXTS, DOUBLE, ANY_JSON, KEYS)
    ),
    *(Family(json_kind(type_), ONE, NULL_TESTS) for type_ in Type),
)


@pytest.fixture
def connection(servers: Servers) -> Iterator[Connection]:
    with connect(servers.postgres, "pg_temp") as connection:
        yield connection


def test_python_and_sql_agree_on_every_operator_and_boundary_value(
    connection: Connection,
) -> None:
    differing, collation = [], other_order(connection)
    in_python = in_sql = 0
    for family in FAMILIES:
        table = AtomTable(connection, family, collation)
        differing += list(islice(table.differences(), 3))
        in_python += table.compared_in_python
        in_sql += table.compared_in_sql
    assert differing == []
    assert min(in_python, in_sql) >= 1_000_000, (in_python, in_sql)
