"""Rows that policies let people see, counted and sampled: what a change gains, loses, and for whom.

Counts stop at 10,000. Each query takes a `Listing`: of the rows that it shows, those are counted
for which a further formula holds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg.sql import SQL, Composable, Identifier

from infra.database import Connection
from policies.access import Access, Listing
from policies.filtering import beneath
from policies.formula import FALSE, Formula, all_of
from policies.pdp import PolicySet
from policies.questions import Difference, changed_kinds, difference
from policies.schema import Type, field_of
from policies.sql import SqlWriter
from policies.subject import SUBJECT
from projections import catalogue
from projections.page import COUNT_CAP, Registry, unhidden_row

SAMPLE = 10
USERS = 200

REGISTRIES: Mapping[str, Registry] = {
    registry.kind: registry
    for registry in vars(catalogue).values()
    if isinstance(registry, Registry)
}
"""The registry of each kind."""


@dataclass(frozen=True, slots=True)
class Found:
    """How many rows, up to 10,000, and the ids of some of them."""

    count: int = 0
    sample: list[str] = field(default_factory=list)


def found(connection: Connection, listing: Listing, formula: Formula) -> Found:
    """The rows of a listing, archived ones too, for which a formula holds."""
    wanted = all_of([listing.formula, formula])
    if wanted == FALSE:
        return Found()
    registry = REGISTRIES[listing.schema.kind]
    writer = SqlWriter()
    where = _where(listing, wanted, writer)
    where += [
        SQL("t.{} = {}").format(Identifier(column), writer.bind(value, Type.STR))
        for column, value in registry.fixed.items()
    ]
    query = SQL(
        "SELECT count(*), (array_agg(id))[1:{}] "
        "FROM (SELECT t.id FROM {} t WHERE {} LIMIT {}) capped"
    ).format(
        writer.bind(SAMPLE),
        Identifier(registry.table),
        SQL(" AND ").join(where),
        writer.bind(COUNT_CAP),
    )
    row = connection.execute(query, writer.values).fetchone()
    assert row is not None
    return Found(int(row[0]), row[1] or [])


def found_difference(
    connection: Connection, listing: Listing, change: Difference
) -> tuple[Found, Found]:
    """What a change gains and loses, as far as the listing shows it and what it is decided on."""
    gained, lost = (beneath(part, listing.masks) for part in (change.gained, change.lost))
    return found(connection, listing, gained), found(connection, listing, lost)


def who(
    connection: Connection, people: Listing, subjects: Formula, after: str | None, limit: int
) -> list[str]:
    """Ids behind `after` of the users in a listing for whom a formula over subjects holds."""
    wanted = all_of([people.formula, subjects])
    if wanted == FALSE:
        return []
    writer = SqlWriter()
    where = _where(people, wanted, writer)
    if after is not None:
        where.append(SQL("t.id > {}").format(writer.bind(after, Type.STR)))
    query = SQL("SELECT t.id FROM {} t WHERE {} ORDER BY t.id LIMIT {}").format(
        Identifier(catalogue.USERS.table), SQL(" AND ").join(where), writer.bind(limit)
    )
    return [id_ for (id_,) in connection.execute(query, writer.values).fetchall()]


def _where(listing: Listing, formula: Formula, writer: SqlWriter) -> list[Composable]:
    unhidden = [unhidden_row(column) for column in listing.schema.hidden_with]
    return [*unhidden, writer.where(formula)]


def lately_changed_users(connection: Connection, limit: int = USERS) -> list[dict[str, Any]]:
    """What policies may ask of the enabled users whose accounts changed last.

    For counts over all of them only: no caller's rights limit it, and nothing else may show it.
    """
    rows: list[tuple[dict[str, Any]]] = connection.execute(
        "SELECT to_jsonb(t) FROM account t WHERE t.enabled "
        "ORDER BY t.updated_at DESC, t.id LIMIT %s",
        (limit,),
    ).fetchall()
    columns = {name: field_of(a.source) for name, a in SUBJECT.attributes.items()}
    return [
        {**row["attributes"], **{name: row[column] for name, column in columns.items()}}
        for (row,) in rows
    ]


@dataclass(frozen=True, slots=True)
class Loss:
    """Rows that one user no longer sees of one kind."""

    user: str
    kind: str
    rows: int


def losses(connection: Connection, old: PolicySet, new: PolicySet, now: datetime) -> Iterator[Loss]:
    """Who loses how much by a change of policies: a query per user and kind, as far as asked."""
    kinds = changed_kinds(old, new)
    if not kinds:
        return
    for before, after in _accesses(connection, old, new, now):
        for kind in kinds:
            lost = difference(before, after, kind).lost
            count = found(connection, before.listing(kind), lost).count
            if count:
                yield Loss(before.subject_id, kind, count)


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows that so many sampled users together gain and lose, by kind of what they see."""

    users: int
    kinds: dict[str, dict[str, int]]


def changes(connection: Connection, old: PolicySet, new: PolicySet, now: datetime) -> Changes:
    """What a change of policies makes different, for each kind that it touches."""
    sums = {kind: {"gained": 0, "lost": 0} for kind in changed_kinds(old, new)}
    accesses = _accesses(connection, old, new, now)
    for before, after in accesses:
        for kind, sum_ in sums.items():
            change = difference(before, after, kind)
            sum_["gained"] += found(connection, after.listing(kind), change.gained).count
            sum_["lost"] += found(connection, before.listing(kind), change.lost).count
    return Changes(len(accesses), sums)


def _accesses(
    connection: Connection, old: PolicySet, new: PolicySet, now: datetime
) -> Sequence[tuple[Access, Access]]:
    """The rights of each sampled user before and after."""
    users = lately_changed_users(connection)
    return [
        (Access(old, old.subject.facts(values), now), Access(new, new.subject.facts(values), now))
        for values in users
    ]
