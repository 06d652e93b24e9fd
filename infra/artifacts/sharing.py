"""What removing one artifact would free: the objects that nothing else reaches."""

from collections.abc import Collection

from hansard.formats.objects import Kind
from infra.artifacts.collection import Limits
from infra.database import Connection

# An upload of which an artifact was made keeps nothing here: its objects are that artifact's.
_UPLOADED = """
CREATE TEMP TABLE uploaded ON COMMIT DROP AS
SELECT DISTINCT o.name FROM upload u JOIN upload_object o ON o.upload = u.id
WHERE u.touched > now() - %s * interval '1 s' AND NOT EXISTS (
    SELECT FROM upload_object r JOIN object t ON t.name = r.name AND t.kind = %s
    JOIN read.artifact a ON a.root = encode(r.name, 'hex') WHERE r.upload = u.id)
"""
_KEPT = (
    "EXISTS (SELECT FROM read.artifact other WHERE other.root = encode({0}, 'hex') "
    "AND {0} <> %(root)s AND NOT other.deleted) "
    "OR EXISTS (SELECT FROM uploaded WHERE uploaded.name = {0})"
)
_UP = [
    "",
    "FROM ref a WHERE a.child = n.name",
    "FROM ref a JOIN ref b ON b.child = a.parent WHERE a.child = n.name",
    "FROM ref a JOIN ref b ON b.child = a.parent JOIN ref c ON c.child = b.parent "
    "WHERE a.child = n.name",
]
"""Ways up from an object: a piece lies in a tree, a tree in a leaf, a leaf in a root."""


def _alone() -> str:
    """Conditions on `n.name`: each way up ends at the first place that keeps it."""
    ways = [f"({_KEPT.format('n.name')})"]
    ways += [
        f"(SELECT true {way} AND ({_KEPT.format(f'{last}.parent')}) LIMIT 1) IS TRUE"
        for way, last in zip(_UP[1:], "abc", strict=True)
    ]
    return " AND ".join(f"NOT ({way})" for way in ways)


_EXCLUSIVE = f"SELECT n.name FROM unnest(%(names)s::bytea[]) n (name) WHERE {_alone()}"
_BELOW = "SELECT DISTINCT child FROM ref WHERE parent = ANY(%s)"


def exclusive_bytes(connection: Connection, root: bytes) -> int:
    """Stored bytes of the objects that no other artifact, and no open upload, reaches.

    To be asked before the artifact is deleted: two artifacts of one root share all of it. Below an
    object that is shared nothing is looked at, so a shared backbone costs a look at its layers.
    """
    with connection.transaction():
        row = connection.execute(
            "SELECT count(*) FROM read.artifact WHERE root = %s AND NOT deleted", (root.hex(),)
        ).fetchone()
        if row is not None and row[0] > 1:
            return 0
        connection.execute(_UPLOADED, (Limits().upload_s, Kind.ROOT))
        connection.execute("CREATE INDEX ON uploaded (name)")
        found: set[bytes] = set()
        level: Collection[bytes] = [root]
        while level:
            values = {"names": list(level), "root": root}
            own = {name for (name,) in connection.execute(_EXCLUSIVE, values)}
            found |= own
            below = connection.execute(_BELOW, (list(own),)).fetchall()
            level = {name for (name,) in below} - found
        row = connection.execute(
            "SELECT coalesce(sum(stored), 0)::bigint FROM object WHERE name = ANY(%s)",
            (list(found),),
        ).fetchone()
        return int(row[0]) if row else 0
