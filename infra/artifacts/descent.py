"""Queries of a commit, going down from the root a level at a time, whole levels in SQL."""

from collections.abc import Iterable
from typing import NamedTuple

from hansard.formats.objects import Kind
from infra.artifacts.index import Names
from infra.database import Connection

_THERE = "o.condemned IS NULL AND NOT o.damaged"
_OWN = (
    "SELECT id FROM upload WHERE principal = (SELECT principal FROM upload WHERE id = %(upload)s)"
)


class Accepted(NamedTuple):
    """What a commit has to know of a leaf: how many files of how many bytes, from path to path."""

    files: int
    size: int
    first: bytes
    last: bytes
    formats: frozenset[str]


def protect_children(connection: Connection, upload: str, nodes: Names) -> None:
    """Keep all that nodes refer to from the garbage collection while an upload is open."""
    connection.execute(
        "INSERT INTO upload_object (upload, name) "
        "SELECT DISTINCT %s, child FROM ref WHERE parent = ANY(%s) ON CONFLICT DO NOTHING",
        (upload, list(nodes)),
    )


def absent_children(connection: Connection, nodes: Names) -> set[bytes]:
    """What nodes refer to and is not there."""
    rows = connection.execute(
        "SELECT DISTINCT r.child FROM ref r WHERE r.parent = ANY(%s) AND NOT EXISTS ("
        f"SELECT FROM object o WHERE o.name = r.child AND {_THERE})",
        (list(nodes),),
    )
    return {name for (name,) in rows}


def misdescribed_child(connection: Connection, nodes: Names) -> bytes | None:
    """A child that is of another kind or size than a node says, if there is one."""
    row = connection.execute(
        "SELECT r.child FROM ref r JOIN object o ON o.name = r.child "
        "WHERE r.parent = ANY(%s) AND (o.kind, o.span) <> (r.kind, r.size) LIMIT 1",
        (list(nodes),),
    ).fetchone()
    return None if row is None else bytes(row[0])


def unsent_children(connection: Connection, upload: str, nodes: Names) -> set[bytes]:
    """What nodes refer to and the upload's owner has not sent, in this or another open upload."""
    asked = {"upload": upload, "nodes": list(nodes)}
    rows = connection.execute(
        "SELECT DISTINCT r.child FROM ref r WHERE r.parent = ANY(%(nodes)s) AND NOT EXISTS ("
        "SELECT FROM upload_object s WHERE s.upload = %(upload)s AND s.name = r.child AND s.sent)",
        asked,
    )
    rest = {name for (name,) in rows}
    if not rest:
        return rest
    rows = connection.execute(
        "SELECT DISTINCT s.name FROM upload_object s "
        f"WHERE s.sent AND s.name = ANY(%(names)s) AND s.upload IN ({_OWN})",
        {"upload": upload, "names": list(rest)},
    )
    return rest - {name for (name,) in rows}


def nodes_below(connection: Connection, nodes: Names) -> set[bytes]:
    """The leaves and trees that nodes refer to."""
    rows = connection.execute(
        "SELECT DISTINCT child FROM ref WHERE parent = ANY(%s) AND kind <> %s",
        (list(nodes), Kind.PIECE),
    )
    return {name for (name,) in rows}


def accepted_leaves(connection: Connection, leaves: Names) -> dict[bytes, Accepted]:
    """What is known of leaves that a commit has accepted before."""
    rows = connection.execute(
        "SELECT leaf, files, size, first, last, formats FROM accepted WHERE leaf = ANY(%s)",
        (list(leaves),),
    )
    return {
        leaf: Accepted(files, size, first, last, frozenset(formats))
        for leaf, files, size, first, last, formats in rows
    }


def accept_leaves(connection: Connection, leaves: Iterable[tuple[bytes, Accepted]]) -> None:
    """Remember leaves whose files were all accepted."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO accepted VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [(name, *leaf[:4], sorted(leaf.formats)) for name, leaf in leaves],
        )


def held(connection: Connection, root: bytes, names: Names) -> set[bytes]:
    """Those of the names that a root reaches, looked for from below."""
    rows = connection.execute(
        "SELECT n.name FROM unnest(%(names)s::bytea[]) n(name) WHERE n.name = %(root)s OR EXISTS ("
        "SELECT FROM ref a WHERE a.child = n.name AND (a.parent = %(root)s OR EXISTS ("
        "SELECT FROM ref b WHERE b.child = a.parent AND (b.parent = %(root)s OR EXISTS ("
        "SELECT FROM ref c WHERE c.child = b.parent AND c.parent = %(root)s)))))",
        {"root": root, "names": list(names)},
    )
    return {name for (name,) in rows}


def leaf_count(connection: Connection, root: bytes) -> int:
    """How many leaves a root has."""
    row = connection.execute("SELECT count(*) FROM ref WHERE parent = %s", (root,)).fetchone()
    return int(row[0]) if row else 0
