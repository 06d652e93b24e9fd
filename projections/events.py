"""Pages of the record: an event is listed where its entity may be read, by what its envelope says.

A page looks at so many events and no more, however few of them the caller may see; what it shows
of an event is for the record to say.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from domain.errors import Invalid
from infra.database import Connection
from policies.access import Access, Listing
from policies.condition import Atom, Ref, Value
from policies.filtering import equals, filter_formula
from policies.formula import Formula, Leaf, all_of
from policies.kinds import SCHEMAS
from policies.schema import Schema, Type, column
from policies.sql import SqlWriter
from projections.access.event_members import UNKNOWN, fields_of
from projections.cursor import CursorSigner
from projections.page import MAX_LIMIT, seen

SCAN = 20_000  # events looked at for one page

EVENT = Schema(
    "event",
    "event",
    {
        "position": column(Type.INT, "position"),
        "time": column(Type.TIME, "time"),
        **{name: column(Type.STR, name) for name in ("kind", "entity", "action")},
        "version": column(Type.INT, "version"),
        # masked for some
        **{name: column(Type.STR, name, nullable=True) for name in ("actor", "reason")},
        **{name: column(Type.STR, name, nullable=True) for name in ("request", "project")},
    },
)
"""What filters may speak of: the envelope only."""

WHERE = ("entity", "kind", "action", "actor", "project", "request")
"""What parameters of their own name compare."""

_GOVERNED = tuple(kind for kind, schema in SCHEMAS.items() if schema.table)
_ASCENDING, _DESCENDING = (SQL("ASC"), SQL(">")), (SQL("DESC"), SQL("<"))
_COLUMNS = SQL(", ").join(Identifier(name) for name in EVENT.attributes)
_DECISION = ("entity", "action", "permitted", "policy", "rule")


@dataclass(frozen=True, slots=True)
class EventsAsked:
    """What a client asks of the record; positions and times are those of events."""

    limit: int = 100
    cursor: str | None = None
    newest_first: bool = False
    after: int = 0
    since: datetime | None = None
    until: datetime | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    filter: str | None = None


@dataclass(frozen=True, slots=True)
class EventPlace:
    """Where an event is: its position, and which event of which entity it is."""

    position: int
    entity: str
    version: int
    request: str | None


@dataclass(frozen=True, slots=True)
class EventsPage:
    """Events that may be seen, and the cursor of what follows them."""

    places: list[EventPlace]
    next_cursor: str | None


def read_events(
    connection: Connection, access: Access, asked: EventsAsked, signer: CursorSigner, now: datetime
) -> EventsPage:
    """One page. Raises Invalid for a bad limit, filter or cursor."""
    if not 1 <= asked.limit <= MAX_LIMIT:
        raise Invalid(f"`limit` is 1 to {MAX_LIMIT}", field="limit")
    binding = _binding(asked, access)
    behind = signer.read(asked.cursor, binding)[0] if asked.cursor is not None else None
    formula = _wanted(asked, now)
    query = _Query(access, asked, formula, behind)
    rows = query.page(connection)
    places = [EventPlace(*row) for row in rows[: asked.limit]]
    more = len(rows) > asked.limit
    end = places[-1].position if more else query.end_of_scan(connection)
    return EventsPage(places, None if end is None else signer.sign([end], binding))


def decisions_of(
    connection: Connection, access: Access, requests: Collection[str]
) -> dict[str, list[dict[str, Any]]]:
    """By request, the recorded decisions on what it asked for, as far as the caller sees them."""
    listing, writer = access.listing("decision"), SqlWriter()
    members = [SQL("'id', t.id"), *(_member(listing, writer, name) for name in _DECISION)]
    query = SQL(
        "SELECT e.request, jsonb_agg(jsonb_build_object({}) ORDER BY e.position) "
        "FROM event e JOIN decision t ON t.id = e.entity "
        "WHERE e.request = ANY({}) AND e.kind = 'decision' AND {} GROUP BY e.request"
    ).format(
        SQL(", ").join(members), writer.bind(sorted(requests), Type.SET), seen(listing, writer)
    )
    return dict(connection.execute(query, writer.values).fetchall())


class _Query:
    """The events that match, looked at in their order; of these, what may be seen."""

    def __init__(
        self, access: Access, asked: EventsAsked, formula: Formula, behind: int | None
    ) -> None:
        self._access = access
        self._limit = asked.limit
        self._order, beyond = _DESCENDING if asked.newest_first else _ASCENDING
        self._formula = formula
        self._behind = None if behind is None else (beyond, behind)

    def page(self, connection: Connection) -> list[tuple[Any, ...]]:
        """The events of a page and one more, if the scan finds so many."""
        writer = SqlWriter()
        query = SQL(
            "SELECT e.position, e.entity, e.version, e.request FROM ({}) e WHERE {} "
            "ORDER BY e.position {} LIMIT {}"
        ).format(
            self._looked_at(writer, SQL("LIMIT {}").format(Literal(SCAN))),
            _visible(self._access, writer),
            self._order,
            Literal(self._limit + 1),
        )
        return connection.execute(query, writer.values).fetchall()

    def end_of_scan(self, connection: Connection) -> int | None:
        """The position that the scan ended at; None where it ended with the record."""
        writer = SqlWriter()
        last = SQL("LIMIT 1 OFFSET {}").format(Literal(SCAN - 1))
        row = connection.execute(self._looked_at(writer, last), writer.values).fetchone()
        return None if row is None else int(row[0])

    def _looked_at(self, writer: SqlWriter, limit: Composable) -> Composed:
        where = [writer.where(self._formula)]
        if self._behind is not None:
            beyond, position = self._behind
            where.append(SQL("t.position {} {}").format(beyond, writer.bind(position, Type.INT)))
        return SQL("SELECT t.* FROM ({}) t WHERE {} ORDER BY t.position {} {}").format(
            _shown_envelopes(self._access, writer), SQL(" AND ").join(where), self._order, limit
        )


def _wanted(asked: EventsAsked, now: datetime) -> Formula:
    wanted = [equals(EVENT, name, value) for name, value in asked.where.items()]
    if asked.after:
        wanted.append(_compared("position", ">", asked.after))
    wanted += [_compared("time", ">=", asked.since)] if asked.since else []
    wanted += [_compared("time", "<", asked.until)] if asked.until else []
    if asked.filter is not None:
        wanted.append(filter_formula(asked.filter, EVENT, now))
    return all_of(wanted)


def _compared(name: str, operator: str, value: int | datetime) -> Formula:
    attribute = EVENT.attributes[name]
    return Leaf(Atom(operator, Ref("obj", name, attribute), Value(attribute.type, value)))


def _visible(access: Access, writer: SqlWriter) -> Composable:
    """Whether the entity may be read; what no policy governs is shown to administrators."""
    of_kinds = [
        _of_kind(kind, SQL("TRUE"), seen(access.listing(kind), writer)) for kind in _GOVERNED
    ]
    admin = SQL("TRUE" if access.subject["admin"] else "FALSE")
    return SQL("coalesce(CASE e.kind {} ELSE {} END, FALSE)").format(SQL(" ").join(of_kinds), admin)


def _shown_envelopes(access: Access, writer: SqlWriter) -> Composable:
    """All events, with nothing in an envelope that is masked in the entity."""
    columns = [
        *(SQL("e.{}").format(Identifier(name)) for name in EVENT.attributes if name not in _MASKED),
        *(_shown(access, writer, name, masks) for name, masks in _MASKED.items()),
    ]
    return SQL("SELECT {} FROM (SELECT {} FROM event e) e").format(
        _COLUMNS, SQL(", ").join(columns)
    )


def _shown(
    access: Access, writer: SqlWriter, name: str, masks: Callable[[Listing], list[Formula]]
) -> Composable:
    value = SQL("e.{}").format(Identifier(name))
    listings = [access.listing(kind) for kind in _GOVERNED]
    cases = [
        _of_kind(listing.schema.kind, value, writer.where(all_of(found)))
        for listing in listings
        if (found := masks(listing))
    ]
    if not cases:
        return value
    shown = SQL("CASE e.kind {} ELSE {} END AS {}")
    return shown.format(SQL(" ").join(cases), value, Identifier(name))


def _of_kind(kind: str, value: Composable, where: Composable) -> Composable:
    """For events of a kind: the value where the condition holds for the entity's row."""
    return SQL("WHEN {} THEN (SELECT {} FROM {} t WHERE t.id = e.entity AND {})").format(
        Literal(kind), value, Identifier(str(SCHEMAS[kind].table)), where
    )


def _actor_masks(listing: Listing) -> list[Formula]:
    masks = listing.masks
    return [masks["created_by"]] if "created_by" in masks else []


def _reason_masks(listing: Listing) -> list[Formula]:
    """What tells of no field is hidden wherever anything is masked."""
    (of,) = fields_of(listing.schema.kind, ["reason"])
    if of == UNKNOWN:
        return list(listing.masks.values())
    return [listing.masks[of]] if of in listing.masks else []


_MASKED: Mapping[str, Callable[[Listing], list[Formula]]] = {
    "actor": _actor_masks,
    "reason": _reason_masks,
}


def _member(listing: Listing, writer: SqlWriter, name: str) -> Composable:
    value: Composable = SQL("t.{}").format(Identifier(name))
    if name in listing.masks:
        value = SQL("CASE WHEN {} THEN {} END").format(writer.where(listing.masks[name]), value)
    return SQL("{}, {}").format(Literal(name), value)


def _binding(asked: EventsAsked, access: Access) -> bytes:
    times = [time.isoformat() if time else None for time in (asked.since, asked.until)]
    given: Sequence[Any] = [sorted(asked.where.items()), asked.filter, asked.after, *times]
    place = ["event", asked.newest_first, access.subject_id, access.policies.digest]
    return orjson.dumps([place, given])
