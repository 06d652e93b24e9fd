"""Which versions and runs a file belongs to, as far as a caller may see them in a list."""

from psycopg.sql import SQL

from infra.database import Connection
from policies.access import Listing
from policies.schema import Type
from policies.sql import SqlWriter
from projections.page import seen

_MOST = 100


def holders_of_file(
    connection: Connection, versions: Listing, runs: Listing, digest: str
) -> list[str]:
    """Ids of what has the file as bundle, lock or artifact; rows may lag, so decide on each."""
    writer = SqlWriter()
    value = writer.bind(digest, Type.STR)
    artifact = writer.bind(f'[{{"digest": "{digest}"}}]')
    query = SQL(
        "(SELECT t.id FROM version t WHERE (t.source ->> 'bundle' = {} OR "
        "t.source ->> 'lock' = {} OR jsonb_exists(t.source -> 'layers', {}) OR "
        "t.artifacts @> {}::jsonb) AND {} LIMIT {}) UNION ALL "
        "(SELECT t.id FROM run t WHERE t.lock = {} AND {} LIMIT {})"
    ).format(
        *(value, value, value, artifact, seen(versions, writer), writer.bind(_MOST)),
        *(value, seen(runs, writer), writer.bind(_MOST)),
    )
    return [id_ for (id_,) in connection.execute(query, writer.values).fetchall()]
