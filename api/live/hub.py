"""Fan-out of the record to live listeners.

Each stream is read once per process while anybody listens. A listener that comes back with the
positions it saw first gets what it missed from the log, then what the hub reads from there on:
nothing is left out and nothing comes twice. A listener that cannot keep up is cut off, and comes
back in the same way.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import structlog

from api.live.messages import RUN_EVENTS, LiveMessage, of_event, of_telemetry
from api.live.topics import Topics
from domain.errors import Invalid
from infra.event_log.errors import LogUnavailable
from infra.event_log.log import EventLog
from infra.event_log.message import LogMessage
from infra.telemetry import EVERYTHING

_PAGE = 500
_IDLE_S = 0.02
_PING_S = 15.0
_QUEUE = 4096
_LAST_ID = re.compile(r"e(\d+)\.t(\d+)")

_log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Listener:
    topics: Topics
    queue: "asyncio.Queue[LiveMessage | None]" = field(
        default_factory=lambda: asyncio.Queue(_QUEUE)
    )


class _Source:
    """One stream, read from the hub's position on while somebody listens."""

    def __init__(
        self,
        name: str,
        log: EventLog,
        subjects: str,
        decode: Callable[[LogMessage], LiveMessage],
    ) -> None:
        self.name = name
        self.position = 0
        self._log = log
        self._subjects = subjects
        self._decode = decode

    async def start(self) -> None:
        """Begin behind the newest message."""
        last = await self._log.last(self._subjects)
        self.position = last.position if last else 0

    async def step(self) -> list[LiveMessage]:
        """What has come since the last step."""
        found: list[LiveMessage] = []
        full = True
        while full:
            messages = await self._log.read_after(self.position, _PAGE, self._subjects)
            if messages:
                self.position = messages[-1].position
            found += self._decoded(messages)
            full = len(messages) == _PAGE
        return found

    async def between(
        self, position: int, end: int, subjects: str | None = None
    ) -> AsyncIterator[LiveMessage]:
        """What lies behind a position, up to and including `end`."""
        while position < end:
            page = await self._log.read_after(position, _PAGE, subjects or self._subjects)
            for message in self._decoded([m for m in page if m.position <= end]):
                yield message
            if not page:  # a short page is no end: the broker cuts pages by size too
                return
            position = page[-1].position

    def _decoded(self, messages: list[LogMessage]) -> list[LiveMessage]:
        found = []
        for message in messages:
            try:
                found.append(self._decode(message))
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                _log.error("live_message_not_decoded", position=message.position, error=str(error))
        return found


class LiveHub:
    """Listeners, and the reader that feeds them."""

    def __init__(self, events: EventLog, telemetry: EventLog) -> None:
        self._events = _Source("e", events, RUN_EVENTS, of_event)
        self._telemetry = _Source("t", telemetry, EVERYTHING, of_telemetry)
        self._listeners: set[_Listener] = set()
        self._reader: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    def listen(self, topics: Topics, last_id: str | None) -> AsyncIterator[bytes]:
        """Server-sent events of these topics, behind `last_id` (from now on, without one).

        Raises Invalid at once, before an answer has begun, for a bad `last_id`.
        """
        return self._listen(topics, _positions(last_id))

    async def _listen(self, topics: Topics, seen: dict[str, int] | None) -> AsyncIterator[bytes]:
        listener = _Listener(topics)
        await self._join(listener)
        try:
            ends = {"e": self._events.position, "t": self._telemetry.position}
            if seen is None:
                seen = dict(ends)
            yield _with_id(b"event: open\ndata: {}\n\n", seen)
            async for message in self._missed(topics, seen, ends):
                yield _sent(message, seen)
            async for new in _queued(listener):
                if new is None:
                    yield b": ping\n\n"
                elif new.position > seen[new.stream]:
                    yield _sent(new, seen)
        finally:
            self._listeners.discard(listener)

    async def close(self) -> None:
        """Stop reading and let every listener go."""
        for listener in self._listeners:
            _cut_off(listener)
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _join(self, listener: _Listener) -> None:
        async with self._starting:
            if self._reader is None or self._reader.done():
                await self._events.start()
                await self._telemetry.start()
                self._reader = asyncio.create_task(self._read())
            self._listeners.add(listener)

    async def _missed(
        self, topics: Topics, seen: dict[str, int], ends: dict[str, int]
    ) -> AsyncIterator[LiveMessage]:
        subjects = topics.telemetry_filter
        async for message in self._telemetry.between(seen["t"], ends["t"], subjects):
            if topics.match(message.places):
                yield message
        async for message in self._events.between(seen["e"], ends["e"]):
            if topics.match(message.places):
                yield message

    async def _read(self) -> None:
        while self._listeners:
            before = self._events.position, self._telemetry.position
            try:
                events = await self._events.step()
                # A run's telemetry is in the log before its terminal event: told in that order.
                messages = await self._telemetry.step() + events
            except LogUnavailable:  # the reads have waited for the broker; what they got is reread
                self._events.position, self._telemetry.position = before
                continue
            for listener in list(self._listeners):
                self._feed(listener, messages)
            if not messages:
                await asyncio.sleep(_IDLE_S)
        self._reader = None

    def _feed(self, listener: _Listener, messages: list[LiveMessage]) -> None:
        for message in messages:
            if listener.topics.match(message.places):
                try:
                    listener.queue.put_nowait(message)
                except asyncio.QueueFull:
                    self._listeners.discard(listener)
                    _cut_off(listener)
                    return


async def _queued(listener: _Listener) -> AsyncIterator[LiveMessage | None]:
    """Messages as they come; None when it is time for a sign of life. Ends when cut off."""
    while True:
        try:
            message = await asyncio.wait_for(listener.queue.get(), _PING_S)
        except TimeoutError:
            yield None
            continue
        if message is None:
            return
        yield message


def _cut_off(listener: _Listener) -> None:
    while not listener.queue.empty():
        listener.queue.get_nowait()
    listener.queue.put_nowait(None)


def _positions(last_id: str | None) -> dict[str, int] | None:
    if not last_id:
        return None
    match = _LAST_ID.fullmatch(last_id)
    if match is None:
        raise Invalid("Last-Event-ID has the form e<position>.t<position>", field="Last-Event-ID")
    return {"e": int(match[1]), "t": int(match[2])}


def _sent(message: LiveMessage, seen: dict[str, int]) -> bytes:
    seen[message.stream] = message.position
    return _with_id(message.body, seen)


def _with_id(body: bytes, seen: dict[str, int]) -> bytes:
    return f"id: e{seen['e']}.t{seen['t']}\n".encode() + body
