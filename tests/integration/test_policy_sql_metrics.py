"""Filters on metrics: the semi-join, the joined row and the scalar query are one answer."""

from collections.abc import Iterator
from itertools import product
from math import inf

import pytest
from psycopg.sql import SQL, Composable, Identifier

from infra.database import Connection, connect
from policies.condition import NULL_TESTS, ORDERED, Atom, Not, Ref, Value
from policies.formula import Formula, is_true, not_false
from policies.kinds import RUN
from policies.language import parse_filter
from policies.reference import evaluate
from policies.schema import Attribute, Metric, Type
from policies.sql import SqlWriter
from tests.integration.conftest import Servers

KEY = "val/loss'%"
VALUES = (None, 0.0, -0.0, 0.5, -1.5, 5e-324, 2.0**53, 1.7976931348623157e308, inf, -inf)
ROWS: tuple[dict[str, float | None] | None, ...] = (
    None,  # this run has never logged the metric
    *({"last": value, "low": value, "high": value} for value in VALUES),
    {"last": 1.0, "low": -2.0, "high": 3.0},
)
JOINED = {KEY: Identifier("joined")}


@pytest.fixture
def connection(servers: Servers) -> Iterator[Connection]:
    with connect(servers.postgres, "pg_temp") as connection:
        connection.execute("CREATE TEMP TABLE run (id text)")
        connection.execute(
            "CREATE TEMP TABLE metric_latest (run text, key text, last float8, low float8, "
            "high float8)"
        )
        for number, row in enumerate(ROWS):
            connection.execute("INSERT INTO run VALUES (%s)", (str(number),))
            wanted = {KEY: row, "other": {"last": 0.5, "low": 0.5, "high": 0.5}}
            for key, values in wanted.items():
                if values is not None:
                    connection.execute(
                        "INSERT INTO metric_latest VALUES (%s, %s, %s, %s, %s)",
                        (str(number), key, values["last"], values["low"], values["high"]),
                    )
        yield connection


def matched(connection: Connection, formula: Formula, *, joined: bool) -> set[int]:
    writer = SqlWriter(joined=JOINED if joined else None)
    where = writer.where(formula)
    joins: Composable = SQL("")
    if joined:
        joins = SQL("LEFT JOIN metric_latest {} ON joined.run = t.id AND joined.key = {}").format(
            JOINED[KEY], writer.bind(KEY, Type.STR)
        )
    query = SQL("SELECT t.id FROM run t {} WHERE {}").format(joins, where)
    return {int(id_) for (id_,) in connection.execute(query, writer.values).fetchall()}


def expected(atom: Atom, *, negated: bool, maybe: bool) -> set[int]:
    condition = Not(atom) if negated else atom
    metric = atom.left if isinstance(atom.left, Ref) else atom.right
    assert isinstance(metric, Ref)
    assert isinstance(metric.attribute.source, Metric)
    stat = metric.attribute.source.stat
    held = [evaluate(condition, {"obj": {metric.name: row and row[stat]}}) for row in ROWS]
    return {n for n, answer in enumerate(held) if answer is True or (maybe and answer is None)}


def atoms() -> Iterator[Atom]:
    """Each operator on each statistic, the metric on either side."""
    for stat in ("last", "low", "high"):
        metric = Ref("obj", "metrics", Attribute(Type.FLOAT, Metric(KEY, stat), nullable=True))
        yield from (Atom(operator, metric) for operator in NULL_TESTS)
        for operator, value in product(("==", "!=", *ORDERED), (*VALUES, 1.0)):
            if value is not None:
                yield Atom(operator, metric, Value(Type.FLOAT, value))
                yield Atom(operator, Value(Type.FLOAT, value), metric)


def test_python_and_sql_agree_on_metrics_joined_or_not(connection: Connection) -> None:
    compared = 0
    for atom, negated, maybe in product(atoms(), (False, True), (False, True)):
        formula = (not_false if maybe else is_true)(Not(atom) if negated else atom)
        right = expected(atom, negated=negated, maybe=maybe)
        assert matched(connection, formula, joined=False) == right, (atom, negated, maybe)
        assert matched(connection, formula, joined=True) == right, (atom, negated, maybe)
        compared += 2 * len(ROWS)
    assert compared >= 20_000


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"metrics[{KEY!r}] > 0.5", {7, 8, 9, 11}),
        (f"metrics[{KEY!r}].min < 0 and metrics[{KEY!r}].max == 3", {11}),
        (f"not metrics[{KEY!r}] > 0.5", {2, 3, 4, 5, 6, 10}),
        (f"metrics[{KEY!r}] is None", {0, 1}),
        (f"metrics[{KEY!r}] > metrics.other", {7, 8, 9, 11}),
        ("metrics.nothing != 1", set()),
    ],
)
def test_filters_on_metrics_find_the_runs(
    connection: Connection, text: str, found: set[int]
) -> None:
    formula = is_true(parse_filter(text, RUN))
    assert matched(connection, formula, joined=False) == found
    assert matched(connection, formula, joined=True) == found
