"""Rows of read models and the handlers that most kinds of entity share."""

from collections.abc import Callable
from typing import Any

from projections.read_event import ReadEvent

Row = dict[str, Any]
Handler = Callable[[Row, ReadEvent], None]


def assign(row: Row, event: ReadEvent) -> None:
    """Each member of the event is the new value of the column of that name."""
    row.update(event.data)


def unseen(row: Row, event: ReadEvent) -> None:
    """What is no table's business: the digest of a password, what only decisions ask for."""


def entity_born(row: Row, event: ReadEvent) -> None:
    """The first event of a named entity."""
    row.update(event.data)
    row.setdefault("tags", {})
    row.setdefault("description", "")
    row["archived"] = False


def archived(row: Row, event: ReadEvent) -> None:
    """Closed."""
    row["archived"] = True


def restored(row: Row, event: ReadEvent) -> None:
    """Open again."""
    row["archived"] = False


def of_entity(topic: str) -> dict[str, Handler]:
    """The handlers of what can happen to every named entity."""
    return {
        f"{topic}.renamed.v1": assign,
        f"{topic}.described.v1": assign,
        f"{topic}.tagged.v1": assign,
        f"{topic}.archived.v1": archived,
        f"{topic}.restored.v1": restored,
    }


def unshared(owner: str | None = None) -> Row:
    """How far something can be seen at birth, and for what inherits it, whose that is."""
    seen: Row = {"visibility": "private", "groups": [], "users": [], "embargo_until": None}
    return seen if owner is None else {owner: "", **seen}
