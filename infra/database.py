"""PostgreSQL connections: their options, and schemas brought up to date by numbered SQL files."""

from pathlib import Path
from typing import Any

import orjson
import psycopg
from psycopg import sql
from psycopg.types.json import set_json_dumps, set_json_loads

# A cached generic plan can be far slower than one made for the values at hand; pages are too short
# for parallel workers; on today's disks a random page costs little more than the next one.
_OPTIONS = (
    "-c plan_cache_mode=force_custom_plan -c jit=off -c timezone=UTC "
    "-c max_parallel_workers_per_gather=0 -c random_page_cost=1.1"
)

set_json_dumps(orjson.dumps)
set_json_loads(orjson.loads)

Connection = psycopg.Connection[tuple[Any, ...]]


def options(schema: str) -> str:
    """Connection options that make `schema` the place of unqualified names."""
    return f"{_OPTIONS} -c search_path={schema}"


def connect(url: str, schema: str) -> Connection:
    """A blocking connection; each statement commits unless inside `transaction()`."""
    return psycopg.connect(url, autocommit=True, options=options(schema))


_MIGRATIONS = """
CREATE TABLE IF NOT EXISTS migration (file text PRIMARY KEY);
ALTER TABLE migration ADD COLUMN IF NOT EXISTS applied timestamptz NOT NULL DEFAULT '-infinity';
ALTER TABLE migration ALTER COLUMN applied SET DEFAULT now();
"""


def migrate(url: str, schema: str, folder: Path) -> None:
    """Apply, in order, the SQL files of `folder` that the schema has not seen.

    File names start with a number; a file once released never changes.
    """
    with psycopg.connect(url, options=options(schema)) as connection:
        name = sql.Identifier(schema)
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"migrate {schema}",))
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        connection.execute(_MIGRATIONS)
        rows = connection.execute("SELECT file FROM migration").fetchall()
        applied = {row[0] for row in rows}
        for file in sorted(folder.glob("*.sql")):
            if file.name not in applied:
                connection.execute(file.read_bytes())
                connection.execute("INSERT INTO migration (file) VALUES (%s)", (file.name,))


def is_upgraded(connection: Connection) -> bool:
    """Whether the tables were not made all at once: there may be rows of an older release."""
    row = connection.execute("SELECT count(DISTINCT applied) > 1 FROM migration").fetchone()
    return row is not None and bool(row[0])
