"""The peers of the policy benchmark: PostgreSQL's row-level security, and fetch-then-filter."""

from statistics import median
from time import perf_counter
from typing import Any

from psycopg.sql import SQL, Literal

from infra.database import Connection
from policies.access import Access, Listing
from policies.kinds import SCHEMAS
from policies.schema import Column
from policies.sql import SqlWriter

_ROUNDS = 5
_BATCH = 1000
_PAGE = 50
_FIRST = SQL("SELECT * FROM run ORDER BY created_at DESC, id DESC LIMIT 51")


def row_security_ms(connection: Connection, listing: Listing) -> float:
    """The first page by the same formula as a row-level security policy."""
    writer = SqlWriter()
    formula = writer.where(listing.formula).as_string(connection).replace('"t".', "")
    for name, value in writer.values.items():
        formula = formula.replace(f"%({name})s", Literal(value).as_string(connection))
    policy = SQL("CREATE POLICY bench ON run USING ({})").format(SQL(formula))
    connection.execute("ALTER TABLE run ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    connection.execute(policy)
    try:
        return _median_ms(lambda: connection.execute(_FIRST).fetchall())
    finally:
        connection.execute("DROP POLICY bench ON run")
        connection.execute(
            "ALTER TABLE run DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"
        )


def fetch_then_filter_ms(connection: Connection, access: Access) -> float:
    """Batches in order, decided one by one, until a page is full or the table ends; once."""
    schema = SCHEMAS["run"]
    columns = {
        name: attribute.source.name
        for name, attribute in schema.attributes.items()
        if isinstance(attribute.source, Column)
    }
    query = (
        f"SELECT {', '.join(columns.values())} FROM run WHERE (created_at, id) < (%s, %s) "
        "ORDER BY created_at DESC, id DESC LIMIT %s"
    )
    decide = access.policies.decider("run", "read").decide
    place: tuple[Any, str] = ("infinity", "")
    found = 0
    start = perf_counter()
    while found < _PAGE:
        rows = connection.execute(query, (*place, _BATCH)).fetchall()
        batch = [_facts(dict(zip(columns, row, strict=True))) for row in rows]
        found += sum(decide(access.subject, facts, access.env) for facts in batch)
        if len(batch) < _BATCH:
            break
        place = batch[-1]["created_at"], batch[-1]["id"]
    return (perf_counter() - start) * 1e3


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, **{name: frozenset(row[name]) for name in ("groups", "users")}}


def _median_ms(action: Any) -> float:
    taken = []
    for _ in range(_ROUNDS):
        start = perf_counter()
        action()
        taken.append((perf_counter() - start) * 1e3)
    return median(taken)
