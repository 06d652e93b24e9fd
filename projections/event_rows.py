"""The envelope of each event as a row, so that events are found by who, what, when and why."""

from collections.abc import Sequence

from domain.text import kind_of
from infra.database import Connection
from projections.read_event import ReadEvent

_COPY = (
    "COPY event (position, time, kind, entity, version, action, actor, request, project, reason) "
    "FROM STDIN"
)
_KNOWN = "SELECT position FROM event WHERE position BETWEEN %s AND %s"
_TAB = "\t"
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def record(connection: Connection, events: Sequence[ReadEvent]) -> None:
    """Add the rows of a batch in log order, but those that are there: an event never changes."""
    if not events:
        return
    ends = (events[0].position, events[-1].position)
    known = {row[0] for row in connection.execute(_KNOWN, ends).fetchall()}
    lines = [_line(event) for event in events if event.position not in known]
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.write("".join(lines))  # half of what a statement with arrays costs


def _line(event: ReadEvent) -> str:
    """A row as COPY reads it."""
    payload, reason = event.payload, event.data.get("reason")
    members = (
        *(event.time, kind_of(event.entity), event.entity, str(event.version)),
        *(action_of(event.topic), event.actor, payload.get("request"), payload.get("project")),
        reason,
    )
    return f"{event.position}\t{_TAB.join(map(_text, members))}\n"


def _text(value: object) -> str:
    return value.translate(_ESCAPED) if isinstance(value, str) else "\\N"


def action_of(topic: str) -> str:
    """What happened, whatever the version of its form.

    >>> action_of("run.requested.v7")
    'run.requested'
    """
    return topic.rpartition(".")[0]
