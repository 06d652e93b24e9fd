"""Which versions play which slots, decided once for each distinct pair of offer and demand.

A new version costs one comparison with each distinct demand if nobody offered the same before, an
executor one with each distinct offer for each of its slots that asks for something new.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from psycopg.types.json import Jsonb

from domain.signatures.matching import Fit, match
from domain.signatures.shapes import Shape, demanded, digest_of, offer_in, offered, roles_in
from infra.database import Connection
from projections.read_event import ReadEvent
from projections.rows import Row

MAX_REASONS = 5
_BORN = "version.published.v3"
_ROWS = 2000


def compatible_born(row: Row, signature: Mapping[str, Any] | None) -> None:
    """The columns of a version that say what it offers and what its slots demand."""
    slots = signature["slots"] if signature else {}
    row["offer"] = digest_of(offered(signature)) if signature else None
    row["demands"] = sorted({digest_of(demanded(signature, s)) for s in slots}) if signature else []


def relate(connection: Connection, events: Sequence[ReadEvent]) -> None:
    """Compare what these folded events brought with all that was there."""
    signatures = [
        event.data["source"]["signature"]
        for event in events
        if event.topic == _BORN and event.data["source"] is not None
    ]
    if not signatures:
        return
    offers = _new(connection, "offer", map(offered, signatures))
    demands = _new(
        connection,
        "demand",
        (demanded(each, slot) for each in signatures for slot in each["slots"]),
    )
    if demands:
        _compare(connection, demands, _all(connection, "offer"))
    if offers:
        rest = [each for each in _all(connection, "demand") if each[0] not in dict(demands)]
        _compare(connection, rest, offers)


def _new(connection: Connection, table: str, shapes: Iterator[Shape]) -> list[tuple[str, Shape]]:
    """Keep the shapes; answers those that were not there."""
    found = {digest_of(shape): shape for shape in shapes}
    rows = [{"digest": digest, "shape": shape} for digest, shape in sorted(found.items())]
    kept = connection.execute(
        f"INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, %s) "
        "ON CONFLICT DO NOTHING RETURNING digest",
        (Jsonb(rows),),
    ).fetchall()
    return [(digest, found[digest]) for (digest,) in kept]


def _all(connection: Connection, table: str) -> list[tuple[str, Shape]]:
    return connection.execute(f"SELECT digest, shape FROM {table} ORDER BY digest").fetchall()


def _compare(
    connection: Connection,
    demands: Sequence[tuple[str, Shape]],
    offers: Sequence[tuple[str, Shape]],
) -> None:
    """Write the verdict on every pair."""
    read = [(digest, offer_in(shape)) for digest, shape in offers]
    rows = (
        _row(demand, offer, match(roles, candidate))
        for demand, shape in demands
        for roles in [roles_in(shape)]
        for offer, candidate in read
    )
    while some := list(islice(rows, _ROWS)):
        connection.execute(
            "INSERT INTO fit SELECT * FROM jsonb_populate_recordset(NULL::fit, %s)", (Jsonb(some),)
        )


def _row(demand: str, offer: str, fit: Fit) -> Row:
    fields = {
        method: {name: name in form["required"] for name in form["properties"]}
        for method, form in fit.fields.items()
    }
    return {
        "demand": demand,
        "offer": offer,
        "verdict": fit.verdict,
        "reasons": fit.reasons[:MAX_REASONS],
        "fields": fields,
    }
