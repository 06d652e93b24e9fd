"""Blocking bulk reads of a stream: a minimal NATS client of our own, for reading only.

nats-py parses each message's headers with a mail parser and hands it through a queue; a batch of
a thousand small events costs several times more than here (`bench append`, figure
`bulk_read.vs_nats_py`). Source: the NATS client protocol (INFO, CONNECT, SUB, PUB, MSG, HMSG).
"""

import socket
import ssl
from collections.abc import Callable, Iterator
from itertools import count
from time import sleep
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import unquote, urlsplit

import orjson

from infra.event_log import direct_get
from infra.event_log.direct_get import DirectGet
from infra.event_log.errors import LogUnavailable
from infra.event_log.message import LogMessage, StoredMessage
from infra.nats_connection import inbox_prefix

_TIMEOUT_S = 2.0  # without a byte; a request that got lost is sent again
_ATTEMPTS = 100
_PAUSE_S = 0.1
_CHUNK = 1 << 18
_NO_STATUS = b"NATS/1.0\r\n"  # a message; any status after the version ends an answer
_NO_RESPONDERS = b"NATS/1.0 503"
_MAX_BATCH_BYTES = 16 << 20
_OF_BROKER = b"\r\nNats-Stream: "  # the broker's own headers follow all that a publisher gave

_T = TypeVar("_T")


class BulkReader:
    """Reads batches of one stream by position; reconnects, with a deadline of about 10 s."""

    def __init__(self, url: str, stream: str) -> None:
        self._url = url
        self._stream = stream
        self._socket: socket.socket | None = None
        self._closed = False
        self._buffer = b""
        self._at = 0  # what lies before was consumed: cutting it off each time would copy the rest
        self._is_ahead = False  # an answer is on its way that nobody waits for yet
        self._inboxes = count()
        self._inbox = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection for good."""
        self._closed = True
        self._disconnect()

    def _disconnect(self) -> None:
        self._is_ahead = False
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def read_after(self, position: int, limit: int, subjects: str) -> list[LogMessage]:
        """At most `limit` messages behind a position whose subject matches, in log order.

        Raises LogUnavailable when the broker stays away.
        """
        return self._fetch(self._after(position, limit, subjects), _message)

    def read_stored_after(self, position: int, limit: int, subjects: str) -> list[StoredMessage]:
        """Like `read_after`, the bytes as they are stored."""
        return self._fetch(self._after(position, limit, subjects), _stored) if limit else []

    def stored_pages(
        self, position: int, limit: int, subjects: str, last: int | None = None
    ) -> Iterator[list[StoredMessage]]:
        """Pages of `read_stored_after` up to position `last`; each is asked for one page ahead.

        Other reads in between are allowed, and cost that advance.
        """
        page = self.read_stored_after(position, _room(position, limit, last), subjects)
        while page:
            position = page[-1].position
            room = _room(position, limit, last)
            request = self._after(position, room, subjects)
            self._ask_ahead(request, room)
            yield page
            page = self._fetch(request, _stored, ahead=self._is_ahead) if room else []

    def _ask_ahead(self, request: DirectGet, room: int) -> None:
        if room:
            try:
                self._send(request)
                self._is_ahead = True
            except OSError:
                self._disconnect()  # it is asked again once its answer is wanted

    def _after(self, position: int, limit: int, subjects: str) -> DirectGet:
        return direct_get.after(self._stream, position, subjects, limit, _MAX_BATCH_BYTES)

    def last(self, subject: str) -> LogMessage | None:
        """The newest message whose subject matches."""
        found = self._fetch(direct_get.last(self._stream, subject), _message)
        return found[0] if found else None

    def _fetch(
        self, request: DirectGet, build: Callable[[bytes, bytes], _T], *, ahead: bool = False
    ) -> list[_T]:
        """The answer to a request, which was sent already if it is `ahead`."""
        single = "batch" not in request.body
        if self._is_ahead and not ahead:
            self._disconnect()
        for attempt in range(_ATTEMPTS):
            try:
                if not self._is_ahead:
                    self._send(request)
                self._is_ahead = False
                return self._receive(single, build)
            except (OSError, ConnectionError) as error:
                self._disconnect()
                if self._closed or attempt == _ATTEMPTS - 1:
                    raise LogUnavailable(f"no answer from the event log: {error}") from error
                sleep(_PAUSE_S)
        raise AssertionError("unreachable")

    def _send(self, request: DirectGet) -> None:
        if self._closed:
            raise ConnectionError("this reader is closed")
        if self._socket is None:
            self._connect()
        assert self._socket is not None
        payload = request.payload
        head = f"PUB {request.subject} {self._inbox} {len(payload)}\r\n".encode()
        self._socket.sendall(head + payload + b"\r\n")

    def _connect(self) -> None:
        parts = urlsplit(self._url)
        host = parts.hostname or "127.0.0.1"
        self._socket = socket.create_connection((host, parts.port or 4222), _TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer, self._at = b"", 0
        # Of its own for each connection: what is still on its way to the last one stays away.
        self._inbox = f"{inbox_prefix(self._url)}.bulk{id(self):x}.{next(self._inboxes)}"
        info = orjson.loads(self._line()[len(b"INFO ") :])
        if parts.scheme == "tls" or info.get("tls_required"):
            context = ssl.create_default_context()
            self._socket = context.wrap_socket(self._socket, server_hostname=host)
        options = {
            "verbose": False,
            "pedantic": False,
            "headers": True,
            "no_responders": True,
            "lang": "python",
            "version": "0.1",
            "name": "hansard-bulk-reader",
            "user": unquote(parts.username or ""),
            "pass": unquote(parts.password or ""),
        }
        hello = b"CONNECT " + orjson.dumps(options) + b"\r\n"
        self._socket.sendall(hello + f"SUB {self._inbox} 1\r\n".encode())

    def _receive(self, single: bool, build: Callable[[bytes, bytes], _T]) -> list[_T]:
        messages: list[_T] = []
        while True:
            line = self._line()
            if line.startswith(b"HMSG "):
                head, payload = self._body(line)
                if head.startswith(_NO_STATUS):
                    messages.append(build(head, payload))
                    if single:
                        return messages
                elif head.startswith(_NO_RESPONDERS):
                    raise ConnectionError("the stream is not there yet")
                else:
                    return messages
            elif line == b"PING":
                assert self._socket is not None
                self._socket.sendall(b"PONG\r\n")
            elif line.startswith(b"-ERR"):
                raise ConnectionError(line.decode(errors="replace"))

    def _body(self, line: bytes) -> tuple[bytes, bytes]:
        header_size, size = map(int, line.split()[-2:])
        while len(self._buffer) - self._at < size + 2:
            self._receive_more()
        start, self._at = self._at, self._at + size + 2
        middle = start + header_size
        return self._buffer[start:middle], self._buffer[middle : start + size]

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n", self._at)) < 0:
            self._receive_more()
        start, self._at = self._at, end + 2
        return self._buffer[start:end]

    def _receive_more(self) -> None:
        assert self._socket is not None
        data = self._socket.recv(_CHUNK)
        if not data:
            raise ConnectionError("the broker closed the connection")
        self._buffer, self._at = self._buffer[self._at :] + data, 0


def _room(position: int, limit: int, last: int | None) -> int:
    return limit if last is None else max(min(limit, last - position), 0)


def _message(head: bytes, payload: bytes) -> LogMessage:
    ours, broker = 0, head.rfind(_OF_BROKER)
    return LogMessage(
        int(_value(head, b"\r\nNats-Sequence: ", broker)),
        _value(head, b"\r\nNats-Subject: ", broker),
        _value(head, b"\r\nT: ", ours),
        _value(head, b"\r\nH: ", ours),
        _value(head, b"\r\nU: ", ours),
        payload,
        _value(head, b"\r\nNats-Time-Stamp: ", broker),
    )


def _stored(head: bytes, payload: bytes) -> StoredMessage:
    broker = head.rfind(_OF_BROKER)
    subject = head.find(b"\r\nNats-Subject: ", broker) + 16
    position = head.find(b"\r\nNats-Sequence: ", subject)
    return StoredMessage(
        int(head[position + 17 : head.find(b"\r", position + 17)]),
        head[subject:position],
        head[: broker + 2],
        payload,
    )


def _value(head: bytes, name: bytes, place: int) -> str:
    """The value of a header; looking for six of a dozen is half the cost of parsing them all.

    From `place` on: what a publisher calls like a header of the broker must not pass for it.
    """
    start = head.find(name, place)
    if start < 0:
        return ""
    start += len(name)
    return head[start : head.find(b"\r", start)].decode()
