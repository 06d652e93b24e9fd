"""Large request bodies, received where they are wanted.

Through ASGI a body comes in pieces of 64 KB, each copied twice more and each a turn of the event
loop: most of what the loop does during an upload. Here the socket fills one buffer.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, cast

import httptools
from starlette.requests import ClientDisconnect, Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from domain.errors import DomainError
from hansard.formats.codec import Buffer

_TAKE = "hansard.take_body"
_PATIENCE_S = 30.0
_LEAST_BYTES_PER_S = 64 << 10

_Take = Callable[[int], Coroutine[Any, Any, bytearray]]


async def whole_body(request: Request) -> Buffer:
    """The body, whose length somebody has bounded. Raises ClientDisconnect, DomainError `slow`."""
    length = int(request.headers.get("content-length") or 0)
    take: _Take | None = request.scope.get(_TAKE)
    if take is None or not length:
        return await request.body()
    try:
        async with asyncio.timeout(_PATIENCE_S + length / _LEAST_BYTES_PER_S):
            return await take(length)
    except TimeoutError:
        raise DomainError("the rest of the body did not come", code="slow") from None


class BulkProtocol(HttpToolsProtocol):
    """HTTP as uvicorn speaks it, but a request's handler may take the body by itself."""

    def on_headers_complete(self) -> None:
        """A request begins."""
        super().on_headers_complete()
        if getattr(self.cycle, "scope", None) is self.scope:
            cast("dict[str, Any]", self.scope)[_TAKE] = partial(self._take, self.cycle)

    async def _take(self, cycle: RequestResponseCycle, length: int) -> bytearray:
        """The body of a request, of which nothing has been received through ASGI."""
        if cycle.waiting_for_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            cycle.waiting_for_100_continue = False
        body = bytearray(length)
        came = len(cycle.body)
        body[:came] = cycle.body
        cycle.body = bytearray()
        if cycle.more_body:
            if cycle.disconnected:
                raise ClientDisconnect
            await self._fill(memoryview(body)[came:])
        return body

    async def _fill(self, rest: memoryview) -> None:
        self.flow.pause_reading()
        filler = _Filler(self, rest)
        self.transport.set_protocol(filler)
        self.flow.resume_reading()  # which begins to read in the way of the new protocol
        try:
            await filler.filled
        except asyncio.CancelledError:
            self.transport.close()  # what still comes would be taken for a request
            raise

    def go_on(self) -> None:
        """A body was received past the parser: take the transport back for what follows."""
        self.flow.pause_reading()
        self.parser = httptools.HttpRequestParser(self)  # the old one waits for the body
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.on_message_complete()
        self.transport.set_protocol(self)
        self.flow.resume_reading()


class _Filler(asyncio.BufferedProtocol):
    """Reads from the socket into a buffer until it is full, then gives the transport back."""

    def __init__(self, protocol: BulkProtocol, rest: memoryview) -> None:
        self._protocol = protocol
        self._rest = rest
        self.filled: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._rest

    def buffer_updated(self, nbytes: int) -> None:
        """So many have come."""
        self._rest = self._rest[nbytes:]
        if not self._rest and not self.filled.done():
            self._protocol.go_on()
            self.filled.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        if not self.filled.done():
            self.filled.set_exception(ClientDisconnect())
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        """The answer has to wait."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """It can go on."""
        self._protocol.resume_writing()
