"""Which artifacts hold something, as far as a caller may see what they belong to in a list."""

from collections.abc import Sequence

from psycopg.sql import SQL

from infra.database import Connection
from policies.access import Listing
from policies.sql import SqlWriter
from projections.page import seen


def artifacts_of(
    connection: Connection,
    versions: Listing,
    runs: Listing,
    roots: Sequence[bytes],
    most: int,
) -> list[str]:
    """Ids of artifacts with one of these roots; rows may lag, so decide on each."""
    writer = SqlWriter()
    query = SQL(
        "SELECT a.id FROM artifact a WHERE a.root = ANY({}::text[]) AND NOT a.deleted AND ("
        "EXISTS (SELECT 1 FROM version t WHERE t.id = a.version AND {}) OR a.version IS NULL AND "
        "EXISTS (SELECT 1 FROM run t WHERE t.id = a.run AND {})) "
        "ORDER BY a.created_at DESC LIMIT {}"
    ).format(
        writer.bind([root.hex() for root in roots]),
        seen(versions, writer),
        seen(runs, writer),
        writer.bind(most),
    )
    return [id_ for (id_,) in connection.execute(query, writer.values).fetchall()]


def own_artifacts(connection: Connection, versions: Listing, most: int) -> list[str]:
    """Ids of the newest artifacts that the caller committed."""
    rows = connection.execute(
        "SELECT id FROM artifact WHERE created_by = %s AND NOT deleted "
        "ORDER BY created_at DESC LIMIT %s",
        (versions.subject, most),
    )
    return [id_ for (id_,) in rows]
