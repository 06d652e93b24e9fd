"""Whole policies over stored rows: the interpreter, Python, casbin and PostgreSQL agree."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

import pytest
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from infra.database import Connection, connect
from policies import reference
from policies.compiled import compiled
from policies.condition import Condition
from policies.formula import FALSE, TRUE, Formula
from policies.language import parse_policy
from policies.pdp import Decider
from policies.reduce import reduced
from policies.schema import Column, Facts, Schema
from policies.sql import CASTS, SqlWriter
from policies.tree import CompiledPolicy, compile_policy
from tests.integration.conftest import Servers
from tests.policy_trees import NOW, THING, document, facts, subject_schema

POLICIES, SUBJECTS, ROWS = 150, 20, 40
ENV: Facts = {"now": NOW}
MIXED = ((True, False), (False, True), (False, False))
COLUMNS = {
    name: attribute.type
    for name, attribute in THING.attributes.items()
    if isinstance(attribute.source, Column)
}


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    rng = Random(1)
    return [facts(rng, THING) for _ in range(ROWS)]


@pytest.fixture
def connection(servers: Servers, rows: Sequence[Facts]) -> Iterator[Connection]:
    """A connection that sees the rows in the table `thing`."""
    types = [SQL("{} {}").format(Identifier(name), CASTS[type_]) for name, type_ in COLUMNS.items()]
    with connect(servers.postgres, "pg_temp") as connection:
        connection.execute(
            SQL("CREATE TEMP TABLE thing (id int, doc jsonb, {})").format(SQL(", ").join(types))
        )
        with connection.cursor() as cursor:
            blanks = SQL(", ").join([SQL("%s")] * (len(COLUMNS) + 2))
            cursor.executemany(
                SQL("INSERT INTO thing VALUES ({})").format(blanks),
                [
                    (n, _document(n, row), *map(_stored, _columns(row)))
                    for n, row in enumerate(rows)
                ],
            )
        yield connection


def _columns(row: Facts) -> list[Any]:
    return [row[name] for name in COLUMNS]


def _stored(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def _document(number: int, row: Facts) -> Jsonb:
    """What is missing is null, of another type, or not there."""
    texts: tuple[Any, ...] = ({"s": None}, {"s": 1}, {}, [])
    levels: tuple[Any, ...] = ({"n": None}, {"n": "1"}, {"n": 1.5}, {})
    inner = texts[number % 4] if row["in_doc"] is None else {"s": row["in_doc"]}
    outer = levels[number % 4] if row["level"] is None else {"n": row["level"]}
    return Jsonb({"k": inner, **outer})


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter parses each text once: here it is asked thousands of times."""
    known: dict[str, Condition] = {}

    def parse(text: str, obj: Schema, sub: Schema) -> Condition:
        if text not in known:
            known[text] = parse_policy(text, obj, sub)
        return known[text]

    monkeypatch.setattr(reference, "parse_policy", parse)


@pytest.mark.usefixtures("remembered")
def test_four_ways_to_decide_give_one_answer(
    connection: Connection, rows: list[dict[str, Any]]
) -> None:
    rng, seen, subject = Random(2), Counter[str](), subject_schema()
    for _ in range(POLICIES):
        policy = compile_policy(document(rng), THING)
        subjects = [facts(rng, subject) for _ in range(SUBJECTS)]
        by_sql = members(connection, policy, subjects, seen)
        decider = Decider("run", "read", [policy])
        for number, sub in enumerate(subjects):
            for id_, row in enumerate(rows):
                answer = decided(policy, sub, row)
                assert by_sql[id_][number] == answer, (policy.document.root, sub, row)
                if id_ % 8 == 0:
                    permitted = answer == (True, False)
                    assert decider.rule(sub, row, ENV).permitted is permitted
                seen[f"permit {answer[0]}, deny {answer[1]}"] += 1
    assert seen["residual"] >= POLICIES * SUBJECTS // 4, seen
    assert all(seen[f"permit {p}, deny {d}"] >= 5_000 for p, d in MIXED), seen


def decided(policy: CompiledPolicy, sub: Facts, row: Facts) -> tuple[bool, bool]:
    """The interpreter's answer, which Python's must equal."""
    values = {"sub": sub, "obj": row, "env": ENV}
    answer = reference.decide_tree(policy.document, THING, values)
    pair = policy.pair
    assert (compiled(pair.permits)(sub, row, ENV), compiled(pair.denies)(sub, row, ENV)) == answer
    return answer


def members(
    connection: Connection,
    policy: CompiledPolicy,
    subjects: Sequence[Facts],
    seen: Counter[str],
) -> Mapping[int, Sequence[tuple[bool, bool]]]:
    """Per row, whether it is permitted and denied to each subject, as WHERE would have it."""
    writer = SqlWriter()

    def test(formula: Formula, sub: Facts) -> Any:
        left = reduced(formula, {"sub": sub, "env": ENV})
        seen["constant" if left in (TRUE, FALSE) else "residual"] += 1
        return SQL("({}) IS TRUE").format(writer.where(left))

    tests = [test(f, sub) for sub in subjects for f in (policy.pair.permits, policy.pair.denies)]
    query = SQL("SELECT id, ARRAY[{}] FROM thing t").format(SQL(", ").join(tests))
    return {
        id_: list(zip(said[::2], said[1::2], strict=True))
        for id_, said in connection.execute(query, writer.values).fetchall()
    }


def test_who_can_see_an_entity_is_found_among_rows_of_accounts(servers: Servers) -> None:
    rng, schema = Random(3), subject_schema()
    people = [facts(rng, schema) for _ in range(60)]
    with connect(servers.postgres, "pg_temp") as connection:
        connection.execute(
            "CREATE TEMP TABLE account (n int, id text, enabled bool, admin bool, service bool, "
            "groups text[], viewer_of text[], contributor_of text[], manager_of text[], "
            "attributes jsonb)"
        )
        for number, person in enumerate(people):
            connection.execute(
                "INSERT INTO account VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                _account(number, person),
            )
        _assert_seers(connection, rng, people)


def _account(number: int, person: Facts) -> list[Any]:
    values = list(person.items())
    own = [_stored(value) for _, value in values[:8]]
    return [number, *own, Jsonb({name: _stored(value) for name, value in values[8:]})]


def _assert_seers(connection: Connection, rng: Random, people: Sequence[Facts]) -> None:
    partly = 0
    for _ in range(80):
        policy, row = compile_policy(document(rng), THING), facts(rng, THING)
        writer = SqlWriter()
        left = reduced(policy.pair.permits, {"obj": row, "env": ENV})
        query = SQL("SELECT n FROM account t WHERE {}").format(writer.where(left))
        found = {n for (n,) in connection.execute(query, writer.values).fetchall()}
        decide = compiled(policy.pair.permits)
        assert found == {n for n, person in enumerate(people) if decide(person, row, ENV)}
        partly += 0 < len(found) < len(people)
    assert partly >= 10
