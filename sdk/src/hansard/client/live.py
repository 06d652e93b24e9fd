"""Live subscriptions: server-sent events, resumed after a cut without gap or repeat."""

import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from hansard.client.effect import Effect, Emission, Emit, Flow, Open, Pause, Read, Reply, Request
from hansard.client.results import (
    HardwareEvent,
    LiveEvent,
    LogEvent,
    MetricsEvent,
    ProgressEvent,
    Result,
    StatusEvent,
)
from hansard.client.session import Backoff, Session, problem
from hansard.client_errors import Refused, Unreachable

_Hearing: TypeAlias = Generator[Effect | Emit[LiveEvent], Any, bool]

_MAX_PENDING_BYTES = 64 * 1024 * 1024
_OK = 200
_TYPES: dict[str, type[Result]] = {
    "status": StatusEvent,
    "metrics": MetricsEvent,
    "hardware": HardwareEvent,
    "log": LogEvent,
    "progress": ProgressEvent,
}


@dataclass(frozen=True, slots=True)
class Message:
    """One server-sent event; `id` is the last one seen so far."""

    event: str
    data: str
    id: str | None


class EventReader:
    """Splits a stream of bytes into server-sent events, as the HTML standard says.

    >>> list(EventReader().feed(b"id: e1.t2\\nevent: open\\ndata: {}\\n\\n"))
    [Message(event='open', data='{}', id='e1.t2')]
    """

    def __init__(self) -> None:
        self._pending = bytearray()
        self._id: str | None = None
        self._event = ""
        self._data: list[str] = []

    def feed(self, data: bytes) -> Iterator[Message]:
        """The events that are complete now. Raises Unreachable for a line without end."""
        self._pending += data
        *lines, rest = self._pending.split(b"\n")
        self._pending = bytearray(rest)
        if len(rest) > _MAX_PENDING_BYTES:
            raise Unreachable("what answers there is no Hansard server: a line without end")
        for line in lines:
            message = self._line(line.removesuffix(b"\r").decode(errors="replace"))
            if message is not None:
                yield message

    def _line(self, line: str) -> Message | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._event = value
        elif field == "id":
            self._id = value
        return None

    def _dispatch(self) -> Message | None:
        data, event = self._data, self._event
        self._data, self._event = [], ""
        return Message(event, "\n".join(data), self._id) if data else None


class _Place:
    """How far a subscription has come: the id to resume behind."""

    id: str | None = None


def live(session: Session, topics: Sequence[str], run: str | None) -> Emission[LiveEvent]:
    """Events of the topics from now on; ends with `run`, if that is all there is to hear of.

    A cut is retried within the session's patience, which starts anew with every sign of life.
    Raises Refused, and Unreachable when patience is over.
    """
    backoff, place = Backoff(session.patience_s), _Place()
    while True:
        try:
            ended = yield from _until_cut(session, topics, run, place, backoff)
            if ended:
                return
            raise Unreachable("the live stream was cut")
        except (Unreachable, Refused) as error:
            pause_s = backoff.pause_s(error)
        yield Pause(pause_s)


def _until_cut(
    session: Session, topics: Sequence[str], run: str | None, place: _Place, backoff: Backoff
) -> _Hearing:
    yield from _opened(topics, place.id)
    reader = EventReader()
    while data := (yield Read()):
        backoff.reset()
        for message in reader.feed(data):
            ended = yield from _heard(session, run, place, message)
            if ended:
                return True
    return False


def _heard(session: Session, run: str | None, place: _Place, message: Message) -> _Hearing:
    """Pass an event on; answers whether it was the last one."""
    first, place.id = place.id is None, message.id
    if message.event == "open":
        # A run that ended before the stream began has no further event to wait for.
        return first and run is not None and (yield from _over(session, run, message.id))
    event = typed(message)
    if event is None:
        return False
    yield Emit(event)
    return run is not None and isinstance(event, StatusEvent) and event.ended


def typed(message: Message) -> LiveEvent | None:
    """The event in a message; None for a kind that this client does not know."""
    kind = _TYPES.get(message.event)
    if kind is None:
        return None
    event: Any = kind.model_validate(json.loads(message.data))
    return event  # type: ignore[no-any-return]


def _opened(topics: Sequence[str], last_id: str | None) -> Flow[None]:
    headers = {"Accept": "text/event-stream"}
    if last_id is not None:
        headers["Last-Event-ID"] = last_id
    request = Request("GET", "/v1/live", query={"topics": ",".join(topics)}, headers=headers)
    reply: Reply = yield Open(request)
    if reply.status != _OK:
        raise problem(reply)


def _over(session: Session, run: str, opened_at: str | None) -> Flow[bool]:
    """Whether the run had ended before the stream began at `opened_at`."""
    events, _, _ = (opened_at or "").removeprefix("e").partition(".")
    if events.isdigit():
        session.position = max(session.position, int(events))
    found = yield from session.get(f"/v1/runs/{run}")
    return found.get("ended_at") is not None
