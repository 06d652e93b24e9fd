"""Which files a caller may read: those of versions and runs that the caller may see."""

from psycopg.sql import SQL

from infra.database import Connection
from policies.access import Listing
from policies.formula import TRUE, Formula, all_of
from policies.sql import SqlWriter


def may_read_file(connection: Connection, versions: Listing, runs: Listing, digest: str) -> bool:
    """Whether a file is the bundle, the lock or an artifact of something that may be seen."""
    of_versions, of_runs = SqlWriter(prefix="v"), SqlWriter(prefix="r")
    query = SQL(
        "SELECT EXISTS (SELECT 1 FROM version t WHERE (t.source ->> 'bundle' = %(digest)s OR "
        "t.source ->> 'lock' = %(digest)s OR t.artifacts @> %(artifact)s::jsonb) AND {}) "
        "OR EXISTS (SELECT 1 FROM run t WHERE t.lock = %(digest)s AND {})"
    ).format(
        of_versions.where(_shown(versions, "source", "artifacts")),
        of_runs.where(_shown(runs, "lock")),
    )
    values = {
        "digest": digest,
        "artifact": f'[{{"digest": "{digest}"}}]',
        **of_versions.values,
        **of_runs.values,
    }
    row = connection.execute(query, values).fetchone()
    return bool(row and row[0])


def _shown(listing: Listing, *fields: str) -> Formula:
    return all_of([listing.formula, *(listing.masks.get(field, TRUE) for field in fields)])
