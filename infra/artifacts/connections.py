"""Connections to the index of the artifact store, which has a schema of its own."""

from pathlib import Path
from threading import Lock

from psycopg_pool import ConnectionPool

from infra.database import Connection, migrate, options

SCHEMA = "store"
COMMIT_LOCK = 0x48414E53
"""Advisory lock: commits share it, from their check to their event; the collection has it alone."""
MIGRATIONS = Path(__file__).with_name("migrations")

_MOST = 8
_TIMEOUT_S = 10.0


def index_pool(postgres_url: str) -> ConnectionPool[Connection]:
    """Opened lazily: whoever connects first brings the schema up to date."""
    lock, migrated = Lock(), False

    def prepare(_: Connection) -> None:
        nonlocal migrated
        with lock:
            if not migrated:
                migrate(postgres_url, SCHEMA, MIGRATIONS)
                migrated = True

    pool: ConnectionPool[Connection] = ConnectionPool(
        postgres_url,
        kwargs={"options": options(SCHEMA), "autocommit": True},
        min_size=0,
        max_size=_MOST,
        open=False,
        timeout=_TIMEOUT_S,
        configure=prepare,
        check=ConnectionPool.check_connection,
    )
    pool.open(wait=False)
    return pool
