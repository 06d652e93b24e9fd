"""Reads of the log over nats-py: many requests at once over one reply subscription."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from nats import errors as nats_errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from infra.event_log import direct_get
from infra.event_log.direct_get import DirectGet
from infra.event_log.errors import LogUnavailable
from infra.event_log.message import LogMessage

ANSWER_TIMEOUT_S = 3.0
DEADLINE_S = 20.0
PAUSE_S = 0.1

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


class TooManySubjects(Exception):
    """More subjects match a multi-subject read than one answer can hold."""


class DirectReader:
    """Sends direct gets and collects their replies; retries while the broker is away."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = ""
        self._open: dict[str, _Replies] = {}
        self._number = 0
        self._subscribing = asyncio.Lock()

    async def fetch(self, request: DirectGet) -> list[LogMessage]:
        """The messages that answer a request, in log order; none is an empty list.

        Raises LogUnavailable after `DEADLINE_S`, TooManySubjects for too wide a read.
        """
        return await until_answered(lambda: self._attempt(request))

    async def _attempt(self, request: DirectGet) -> list[LogMessage]:
        await self._subscribe()
        self._number += 1
        reply = f"{self._inbox}.{self._number}"
        replies = self._open[reply] = _Replies(single="batch" not in request.body)
        try:
            await self._client.publish(request.subject, request.payload, reply=reply)
            return await asyncio.wait_for(replies.done, ANSWER_TIMEOUT_S)
        finally:
            del self._open[reply]

    async def _subscribe(self) -> None:
        async with self._subscribing:
            if not self._inbox:
                inbox = self._client.new_inbox()
                await self._client.subscribe(f"{inbox}.*", cb=self._on_reply)
                self._inbox = inbox

    async def _on_reply(self, message: Msg) -> None:
        replies = self._open.get(message.subject)
        if replies is not None:
            replies.add(message.headers or {}, message.data)


class _Replies:
    """Collects the replies to one request until the one that ends it."""

    def __init__(self, *, single: bool) -> None:
        self._single = single
        self._messages: list[LogMessage] = []
        self.done: asyncio.Future[list[LogMessage]] = asyncio.get_running_loop().create_future()

    def add(self, headers: dict[str, str], payload: bytes) -> None:
        if self.done.done():
            return
        status = headers.get("Status")
        if status is None:
            self._messages.append(direct_get.to_message(headers, payload))
            if self._single:
                self.done.set_result(self._messages)
        elif status in (direct_get.END_OF_BATCH, direct_get.NOTHING_FOUND):
            self.done.set_result(self._messages)
        elif status == direct_get.TOO_MANY:
            self.done.set_exception(TooManySubjects())
        else:
            self.done.set_exception(nats_errors.NoRespondersError())


async def until_answered(attempt: Callable[[], Awaitable[_T]]) -> _T:
    """Repeat `attempt` while the broker does not answer; LogUnavailable after `DEADLINE_S`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DEADLINE_S
    while True:
        try:
            return await attempt()
        except (nats_errors.Error, TimeoutError, OSError) as error:
            if loop.time() > deadline:
                raise LogUnavailable(f"no answer from the event log: {error}") from error
            _log.warning("log_answer_awaited", error=type(error).__name__)
            await asyncio.sleep(PAUSE_S)
