"""Columns that rows have from others: runs from experiments, versions from abstractions,
users from groups. Kept set-wise after each batch, for the rows that it may have changed.
"""

from collections.abc import Iterable, Sequence

from psycopg import sql

from domain.run_events import Requested
from domain.text import kind_of
from infra.database import Connection
from projections.read_event import ReadEvent

_RUN_BORN = frozenset({Requested.TOPIC})
_VERSION_BORN = frozenset({"version.published.v3"})
_EXPERIMENT_SEEN = frozenset(
    {"experiment.created.v1", "experiment.shared.v1", "experiment.embargoed.v1"}
)
_ABSTRACTION_SEEN = frozenset(
    {"abstraction.registered.v1", "abstraction.shared.v1", "abstraction.embargoed.v1"}
)
_ALIASED = frozenset({"abstraction.aliased.v1"})

_COPY = sql.SQL(
    "UPDATE {part} p SET ({owner}, visibility, groups, users, embargo_until) = "
    "(w.created_by, w.visibility, w.groups, w.users, w.embargo_until) "
    "FROM {whole} w WHERE p.{whole} = w.id AND {which} = ANY(%s) AND "
    "(p.{owner}, p.visibility, p.groups, p.users, p.embargo_until) IS DISTINCT FROM "
    "(w.created_by, w.visibility, w.groups, w.users, w.embargo_until)"
)

_ALIASES = """
WITH found AS (
    SELECT v.id, coalesce(
        array_agg(e.key ORDER BY e.key COLLATE "C") FILTER (WHERE e.key IS NOT NULL), '{}'
    ) AS aliases
    FROM version v JOIN abstraction a ON a.id = v.abstraction
        LEFT JOIN jsonb_each_text(a.aliases) e ON e.value::int = v.number
    WHERE v.id = ANY(%s) OR v.abstraction = ANY(%s)
    GROUP BY v.id
)
UPDATE version v SET aliases = f.aliases
FROM found f WHERE v.id = f.id AND v.aliases IS DISTINCT FROM f.aliases
"""

# Groups that are archived, or not there, count for nothing. Ids are sorted by their bytes.
_EFFECTIVE = """
WITH wanted AS (
    SELECT id, joined, roles FROM account WHERE id = ANY(%s) OR joined && %s::text[]
), belonging AS (
    SELECT w.id, g.id AS "group", g.roles
    FROM wanted w JOIN user_group g ON g.id = ANY(w.joined) AND NOT g.archived
), held AS (
    SELECT w.id, r.project COLLATE "C" AS project, r.role
    FROM wanted w, jsonb_each_text(w.roles) AS r(project, role)
    UNION ALL
    SELECT b.id, r.project COLLATE "C", r.role
    FROM belonging b, jsonb_each_text(b.roles) AS r(project, role)
), grouped AS (
    SELECT id, array_agg("group" ORDER BY "group" COLLATE "C") AS groups
    FROM belonging GROUP BY id
), ranked AS (
    SELECT id, array_agg(DISTINCT project ORDER BY project) AS viewer_of,
        array_agg(DISTINCT project ORDER BY project)
            FILTER (WHERE role IN ('contributor', 'manager')) AS contributor_of,
        array_agg(DISTINCT project ORDER BY project)
            FILTER (WHERE role = 'manager') AS manager_of
    FROM held GROUP BY id
), found AS (
    SELECT id, coalesce(g.groups, '{}') AS groups, coalesce(r.viewer_of, '{}') AS viewer_of,
        coalesce(r.contributor_of, '{}') AS contributor_of,
        coalesce(r.manager_of, '{}') AS manager_of
    FROM wanted LEFT JOIN grouped g USING (id) LEFT JOIN ranked r USING (id)
)
UPDATE account a SET groups = f.groups, viewer_of = f.viewer_of,
    contributor_of = f.contributor_of, manager_of = f.manager_of
FROM found f WHERE a.id = f.id AND
    (a.groups, a.viewer_of, a.contributor_of, a.manager_of) IS DISTINCT FROM
    (f.groups, f.viewer_of, f.contributor_of, f.manager_of)
"""


def inherit(connection: Connection, events: Sequence[ReadEvent]) -> None:
    """Bring the rows up to date that took something from what these folded events changed."""
    born, seen = _entities(events, _RUN_BORN), _entities(events, _EXPERIMENT_SEEN)
    _copy(connection, "run", "experiment", born, seen)
    born, seen = _entities(events, _VERSION_BORN), _entities(events, _ABSTRACTION_SEEN)
    _copy(connection, "version", "abstraction", born, seen)
    aliased = _entities(events, _ALIASED)
    if born or aliased:
        connection.execute(_ALIASES, (born, aliased))
    users = {event.entity for event in events if kind_of(event.entity) == "user"}
    groups = {event.entity for event in events if kind_of(event.entity) == "group"}
    if users or groups:
        connection.execute(_EFFECTIVE, (list(users), list(groups)))


def _entities(events: Iterable[ReadEvent], topics: frozenset[str]) -> list[str]:
    return [event.entity for event in events if event.topic in topics]


def _copy(connection: Connection, part: str, whole: str, born: list[str], seen: list[str]) -> None:
    """Copy to parts that were born, and to all parts of wholes that changed."""
    for column, ids in (("p.id", born), ("w.id", seen)):
        if ids:
            statement = _COPY.format(
                part=sql.Identifier(part),
                whole=sql.Identifier(whole),
                owner=sql.Identifier(f"{whole}_owner"),
                which=sql.SQL(column),
            )
            connection.execute(statement, (ids,))
