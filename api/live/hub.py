"""Fan-out of the record to live listeners.

Each stream is read once per process while anybody listens. A listener that comes back with the
positions it saw first gets what it missed from the log, then what the hub reads from there on:
nothing is left out and nothing comes twice. A listener that cannot keep up is cut off, and comes
back in the same way.

Rights are looked up again twice a second and at every change of what they depend on; a listener
who may not see a topic any more is told so and cut off. Each message is decided by itself.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from api.live.facts import FactsCache
from api.live.messages import RUN_EVENTS, LiveMessage, of_event, of_telemetry
from api.live.source import Source
from api.live.topics import Topics
from api.live.viewer import Viewer
from domain.errors import DomainError, Invalid
from infra.event_log.errors import LogUnavailable
from infra.event_log.log import EventLog
from infra.telemetry import EVERYTHING

_IDLE_S = 0.02
_CHECK_S = 0.5
_PING_S = 15.0
_QUEUE = 4096
_LAST_ID = re.compile(r"e(\d+)\.t(\d+)")

_log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Listener:
    topics: Topics
    viewer: Viewer
    denied: bool = False
    queue: "asyncio.Queue[LiveMessage | None]" = field(
        default_factory=lambda: asyncio.Queue(_QUEUE)
    )


class LiveHub:
    """Listeners, and the reader that feeds them."""

    def __init__(self, events: EventLog, telemetry: EventLog, facts: FactsCache) -> None:
        self._facts = facts
        self._events = Source("e", events, RUN_EVENTS, of_event)
        self._telemetry = Source("t", telemetry, EVERYTHING, of_telemetry)
        self._listeners: set[_Listener] = set()
        self._reader: asyncio.Task[None] | None = None
        self._checker: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._starting = asyncio.Lock()

    def listen(self, topics: Topics, viewer: Viewer, last_id: str | None) -> AsyncIterator[bytes]:
        """Server-sent events of these topics, behind `last_id` (from now on, without one).

        Raises Invalid at once, before an answer has begun, for a bad `last_id`.
        """
        return self._listen(_Listener(topics, viewer), _positions(last_id))

    def noticed(self, ids: frozenset[str]) -> None:
        """Hear what has changed: look all rights up again."""
        self._facts.forget(ids)
        self._changed.set()

    async def _listen(
        self, listener: _Listener, seen: dict[str, int] | None
    ) -> AsyncIterator[bytes]:
        await self._join(listener)
        try:
            ends = {"e": self._events.position, "t": self._telemetry.position}
            if seen is None:
                seen = dict(ends)
            yield _with_id(b"event: open\ndata: {}\n\n", seen)
            async for message in self._messages(listener, seen, ends):
                if message is None:
                    yield b": ping\n\n"
                elif (body := await self._shown(listener, message)) is not None:
                    yield _sent(message, body, seen)
            if listener.denied:
                yield b"event: denied\ndata: {}\n\n"
        finally:
            self._listeners.discard(listener)

    async def _messages(
        self, listener: _Listener, seen: dict[str, int], ends: dict[str, int]
    ) -> AsyncIterator[LiveMessage | None]:
        """First what was missed, then what comes; None for a sign of life."""
        async for message in self._missed(listener, seen, ends):
            yield message
        async for new in _queued(listener):
            if new is None or new.position > seen[new.stream]:
                yield new

    async def close(self) -> None:
        """Stop reading and let every listener go."""
        for listener in self._listeners:
            _cut_off(listener)
        self._listeners.clear()
        tasks = [task for task in (self._reader, self._checker) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _join(self, listener: _Listener) -> None:
        async with self._starting:
            if self._reader is None or self._reader.done():
                await self._events.start()
                await self._telemetry.start()
                self._facts.clear()
                self._reader = asyncio.create_task(self._read())
            self._listeners.add(listener)
            if self._checker is None or self._checker.done():
                self._checker = asyncio.create_task(self._check())

    async def _missed(
        self, listener: _Listener, seen: dict[str, int], ends: dict[str, int]
    ) -> AsyncIterator[LiveMessage]:
        topics = listener.topics
        subjects = topics.telemetry_filter
        async for message in self._telemetry.between(seen["t"], ends["t"], subjects):
            if topics.match(message.places) and not listener.denied:
                yield message
        async for message in self._events.between(seen["e"], ends["e"]):
            if topics.match(message.places) and not listener.denied:
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
            self._facts.forget(frozenset(message.run for message in events))
            for listener in list(self._listeners):
                self._feed(listener, messages)
            if not messages:
                await asyncio.sleep(_IDLE_S)
        self._reader = None

    async def _check(self) -> None:
        """Cut off who may not stay, soon after every change and as time goes by."""
        while self._listeners:
            self._changed.clear()
            for listener in list(self._listeners):
                if not await self._may_stay(listener):
                    self._listeners.discard(listener)
                    listener.denied = True
                    _cut_off(listener)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _CHECK_S)
        self._checker = None

    async def _may_stay(self, listener: _Listener) -> bool:
        try:
            return await listener.viewer.may_stay(listener.topics, self._facts)
        except (DomainError, LogUnavailable) as error:
            _log.warning("listener_not_decided", error=type(error).__name__)
            return False

    async def _shown(self, listener: _Listener, message: LiveMessage) -> bytes | None:
        """What the listener may see of a message, by the rights of this moment."""
        await self._facts.load([message.run])
        return None if listener.denied else listener.viewer.shown(message, self._facts)

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


def _sent(message: LiveMessage, body: bytes, seen: dict[str, int]) -> bytes:
    seen[message.stream] = message.position
    return _with_id(body, seen)


def _with_id(body: bytes, seen: dict[str, int]) -> bytes:
    return f"id: e{seen['e']}.t{seen['t']}\n".encode() + body
