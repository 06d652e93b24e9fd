"""The record as somebody reads it: who did what to what, when, why, and what it changed."""

from datetime import datetime
from typing import Any

from pydantic import Field

from hansard.client import reference
from hansard.client.effect import Emission, Flow
from hansard.client.listing import pages
from hansard.client.operation import Bound, S, iteration
from hansard.client.results import Maskable, Result
from hansard.client.session import Session

_PATH = "/v1/events"


class EventDecision(Maskable):
    """A decision that was recorded with an event; `policy` and `rule` are those that ruled."""

    id: str
    entity: str
    action: str
    permitted: bool
    policy: str | None = None
    rule: str | None = None


class Change(Result):
    """A member before and after; of maps and lists only what differs."""

    before: Any = None
    after: Any = None


class Event(Maskable):
    """An event: `action` is its topic without the version, `data` what is recorded.

    `changes` says by member what it changed of its entity, `decisions` by which policy and rule it
    was allowed, where that is recorded and may be read.
    """

    position: int
    time: datetime
    actor: str | None
    action: str
    kind: str
    entity: str
    version: int
    reason: str | None = None
    request: str | None = None
    project: str | None = None
    causation: str | None = None
    topic: str
    hash: str
    data: dict[str, Any] = Field(default_factory=dict)
    changes: dict[str, Change] = Field(default_factory=dict)
    decisions: tuple[EventDecision, ...] = ()


class Events(Bound[S]):
    """The record, as far as the caller may see it."""

    @iteration
    def list(
        self,
        /,
        *,
        filter: str | None = None,  # noqa: A002 - as the API calls it
        newest_first: bool = False,
        after: int = 0,
        since: datetime | None = None,
        until: datetime | None = None,
        entity: str | None = None,
        actor: str | None = None,
        **equal: str,
    ) -> Emission[Event]:
        """All events that match, fetched page by page while iterating.

        `filter` is an expression such as `action == 'run.failed' and time > now - days(7)`;
        `entity` is an id or `model/NAME:3` and the like, `actor` an id or `me`; further keywords
        are compared for equality (`kind=`, `action=`, `project=`, `request=`). Times without a
        zone are local. Raises Invalid, and NotFound for a name that nothing has.
        """
        by = None if actor is None else (yield from reference.resolve(self._session, "user", actor))
        of = None if entity is None else (yield from _entity(self._session, entity))
        query = {
            "filter": filter,
            "sort": "-position" if newest_first else None,
            "after": after or None,
            "since": _wire(since),
            "until": _wire(until),
            "entity": of,
            "actor": by,
            **equal,
        }
        yield from pages(self._session, _PATH, query, Event)

    @iteration
    def history(self, ref: str, /, *, newest_first: bool = False) -> Emission[Event]:
        """All events of one entity: an id, or `model/NAME`, `model/NAME:3`, `experiment/NAME`, ...

        Raises NotFound for a name that nothing has; an id of nothing has no events.
        """
        id_ = yield from _entity(self._session, ref)
        query = {"entity": id_, "sort": "-position" if newest_first else None}
        yield from pages(self._session, _PATH, query, Event)


def _entity(session: Session, ref: str) -> Flow[str]:
    """What is no KIND/NAME is an id: the record has more kinds than lists."""
    return (yield from reference.resolve_node(session, ref)) if "/" in ref else ref


def _wire(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone().isoformat()
