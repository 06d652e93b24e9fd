"""The two senders: the only code of the client that does I/O, blocking and asynchronous."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, closing
from functools import partial
from typing import Any, TypeVar

import httpx

from hansard.artifacts.link import Link
from hansard.client.effect import (
    Effect,
    Emission,
    Emit,
    Flow,
    Open,
    Pause,
    Read,
    Reply,
    Request,
    Work,
)
from hansard.client_errors import HansardError, Unreachable

R = TypeVar("R")

TIMEOUT = httpx.Timeout(120, connect=5)
"""Seconds. Publishing waits for the platform to lock requirements, which can take a minute."""

_PIECE_BYTES = 256 * 1024
_OK = 200


class SyncSender:
    """Carries out flows in the calling thread; one httpx client, made by the caller."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def identify(self, token: str) -> None:
        """Speak with this token from now on; with an empty one as nobody."""
        identify(self.http.headers, token)

    def link(self) -> Link:
        """A connection for bulk data to the same server with the same token."""
        return link(self.http.base_url, self.http.headers)

    def run(self, flow: Flow[R]) -> R:
        """Carry out a flow to its result."""
        with closing(flow), _Blocking(self.http) as outside:
            step = partial(next, flow)
            while True:
                try:
                    effect = step()
                except StopIteration as end:
                    result: R = end.value
                    return result
                step = outside.outcome(flow, effect)

    def iterate(self, flow: Emission[R]) -> Iterator[R]:
        """Carry out a flow while its items are asked for."""
        with closing(flow), _Blocking(self.http) as outside:
            step = partial(next, flow)
            while True:
                try:
                    effect = step()
                except StopIteration:
                    return
                if isinstance(effect, Emit):
                    yield effect.item
                    step = partial(next, flow)
                else:
                    step = outside.outcome(flow, effect)


class AsyncSender:
    """Carries out flows on an event loop; one httpx client, made by the caller."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    def identify(self, token: str) -> None:
        """Speak with this token from now on; with an empty one as nobody."""
        identify(self.http.headers, token)

    def link(self) -> Link:
        """A connection for bulk data to the same server with the same token."""
        return link(self.http.base_url, self.http.headers)

    async def run(self, flow: Flow[R]) -> R:
        """Carry out a flow to its result."""
        with closing(flow):
            async with _Awaiting(self.http) as outside:
                step = partial(next, flow)
                while True:
                    try:
                        effect = step()
                    except StopIteration as end:
                        result: R = end.value
                        return result
                    step = await outside.outcome(flow, effect)

    async def iterate(self, flow: Emission[R]) -> AsyncIterator[R]:
        """Carry out a flow while its items are asked for."""
        with closing(flow):
            async with _Awaiting(self.http) as outside:
                step = partial(next, flow)
                while True:
                    try:
                        effect = step()
                    except StopIteration:
                        return
                    if isinstance(effect, Emit):
                        yield effect.item
                        step = partial(next, flow)
                    else:
                        step = await outside.outcome(flow, effect)


class _Blocking(ExitStack):
    """Performs effects for one flow; holds its open stream."""

    def __init__(self, http: httpx.Client) -> None:
        super().__init__()
        self._http = http
        self._pieces: Iterator[bytes] = iter(())

    def outcome(self, flow: Any, effect: Effect) -> partial[Any]:
        """The flow's next step: with the outcome of the effect, or with its error."""
        try:
            return partial(flow.send, self._perform(effect))
        except (HansardError, OSError) as error:
            return partial(flow.throw, error)
        except httpx.TransportError as error:
            return partial(flow.throw, unreachable(self._http.base_url, error))

    def _perform(self, effect: Effect) -> Any:
        match effect:
            case Request():
                return self._ask(effect)
            case Pause(seconds):
                return time.sleep(seconds)
            case Work(call):
                return call()
            case Open(request):
                return self._open(request)
            case Read():
                return next(self._pieces, b"")

    def _ask(self, request: Request) -> Reply:
        content = pieces(request) if request.content is not None else None
        with self._http.stream(**_arguments(request), content=content) as response:
            if request.sink is None or response.status_code != _OK:
                return _reply(response, response.read())
            request.sink.restart()
            for piece in response.iter_bytes(_PIECE_BYTES):
                request.sink.write(piece)
            return _reply(response, b"")

    def _open(self, request: Request) -> Reply:
        self.close()
        response = self.enter_context(self._http.stream(**_arguments(request)))
        if response.status_code != _OK:
            return _reply(response, response.read())
        self._pieces = response.iter_bytes()
        return _reply(response, b"")


class _Awaiting(AsyncExitStack):
    """Performs effects for one flow; holds its open stream."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        super().__init__()
        self._http = http
        self._pieces: AsyncIterator[bytes]

    async def outcome(self, flow: Any, effect: Effect) -> partial[Any]:
        """The flow's next step: with the outcome of the effect, or with its error."""
        try:
            return partial(flow.send, await self._perform(effect))
        except (HansardError, OSError) as error:
            return partial(flow.throw, error)
        except httpx.TransportError as error:
            return partial(flow.throw, unreachable(self._http.base_url, error))

    async def _perform(self, effect: Effect) -> Any:
        match effect:
            case Request():
                return await self._ask(effect)
            case Pause(seconds):
                return await asyncio.sleep(seconds)
            case Work(call):
                return await asyncio.to_thread(call)
            case Open(request):
                return await self._open(request)
            case Read():
                return await anext(self._pieces, b"")

    async def _ask(self, request: Request) -> Reply:
        content = _async_pieces(request) if request.content is not None else None
        async with self._http.stream(**_arguments(request), content=content) as response:
            if request.sink is None or response.status_code != _OK:
                return _reply(response, await response.aread())
            request.sink.restart()
            async for piece in response.aiter_bytes(_PIECE_BYTES):
                request.sink.write(piece)
            return _reply(response, b"")

    async def _open(self, request: Request) -> Reply:
        await self.aclose()
        response = await self.enter_async_context(self._http.stream(**_arguments(request)))
        if response.status_code != _OK:
            return _reply(response, await response.aread())
        self._pieces = response.aiter_bytes()
        return _reply(response, b"")


def identify(headers: httpx.Headers, token: str) -> None:
    """Put a token into the headers of all requests, or take it out."""
    headers.pop("Authorization", None)
    if token:
        headers["Authorization"] = f"Bearer {token}"


def link(address: httpx.URL, headers: httpx.Headers) -> Link:
    """A connection for bulk data, speaking as the headers do."""
    return Link(str(address), headers.get("Authorization", "").removeprefix("Bearer "))


def unreachable(address: httpx.URL, error: httpx.TransportError) -> Unreachable:
    """The error of the transport in words; without the request, whose headers hold the token."""
    place = f"{address.scheme}://{address.netloc.decode()}"
    reason = str(error) or type(error).__name__
    return Unreachable(f"{place} does not answer ({reason}): is `hansard up` running there?")


def pieces(request: Request) -> Iterator[bytes]:
    """The body of a request, telling how far it is."""
    content = request.content or b""
    for at in range(0, len(content), _PIECE_BYTES):
        yield content[at : at + _PIECE_BYTES]
        if request.on_progress is not None:
            request.on_progress(min(at + _PIECE_BYTES, len(content)))


async def _async_pieces(request: Request) -> AsyncIterator[bytes]:
    for piece in pieces(request):
        yield piece


def _arguments(request: Request) -> dict[str, Any]:
    headers = dict(request.headers)
    if request.content is not None:
        headers["Content-Length"] = str(len(request.content))  # else httpx sends it chunked
    return {
        "method": request.method,
        "url": request.path,
        "params": request.query or None,
        "headers": headers,
    }


def _reply(response: httpx.Response, content: bytes) -> Reply:
    return Reply(response.status_code, response.headers, content)
