"""The envelope of each event as a row, so that events are found by who, what, when and why."""

from collections.abc import Iterable

from domain.text import kind_of
from infra.database import Connection
from projections.read_event import ReadEvent

_INSERT = (
    "INSERT INTO event SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[], "
    "%s::text[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) "
    "ON CONFLICT DO NOTHING"  # an event never changes
)


def record(connection: Connection, events: Iterable[ReadEvent]) -> None:
    """Add the rows of a batch, but those that are there."""
    rows = list(map(_row, events))
    if rows:
        connection.execute(_INSERT, [list(column) for column in zip(*rows, strict=True)])


def _row(event: ReadEvent) -> tuple[int | str | None, ...]:
    payload, reason = event.payload, event.data.get("reason")
    return (
        *(event.position, event.time, kind_of(event.entity), event.entity, event.version),
        *(action_of(event.topic), event.actor, payload.get("request"), payload.get("project")),
        reason if isinstance(reason, str) else None,
    )


def action_of(topic: str) -> str:
    """What happened, whatever the version of its form.

    >>> action_of("run.requested.v7")
    'run.requested'
    """
    return topic.rpartition(".")[0]
