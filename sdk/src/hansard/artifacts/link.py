"""Plain HTTP connections for bulk data: one for each thread, kept alive, tried again.

Every request here can be repeated: content names itself, and a commit has an id of its own.
"""

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

from hansard.client_errors import Refused, Unreachable, refusal

T = TypeVar("T")

Buffer = bytes | bytearray | memoryview

_TIMEOUT_S = 120.0
_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_JOINED = 256 << 10
_RETRIED = frozenset({429, 500, 502, 503, 504})
_JSON = "application/json"
_OCTETS = "application/octet-stream"


class Link:
    """A server and a token. `between` is called before every try and may raise to give up."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        patience_s: float = 30.0,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._patience_s = patience_s
        self._between = between
        self._local = threading.local()
        self._all: list[http.client.HTTPConnection] = []

    @property
    def local(self) -> bool:
        """Whether the server is on this machine: nothing is faster than its loopback."""
        return self._host == "localhost" or self._host.startswith("127.") or self._host == "::1"

    def close(self) -> None:
        """Close all connections."""
        for connection in self._all:
            connection.close()

    def json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A small question and its decoded answer. Raises Refused, Unreachable."""
        parts = [] if body is None else [json.dumps(body).encode()]
        answer = self.ask(method, path, parts, kind=_JSON)
        return json.loads(answer) if answer else None

    def ask(
        self,
        method: str,
        path: str,
        parts: Sequence[Buffer] = (),
        *,
        kind: str = _OCTETS,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """The whole answer; empty for 304. Raises Refused, Unreachable."""
        found = {"Content-Type": kind, **(headers or {})}
        return self.take(method, path, parts, lambda answer: answer.read(), headers=found)

    def take(
        self,
        method: str,
        path: str,
        parts: Sequence[Buffer],
        read: Callable[[http.client.HTTPResponse], T],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """What `read` makes of a successful answer; it is called again when the answer is cut.

        Raises Refused, Unreachable.
        """
        deadline, pause_s = time.monotonic() + self._patience_s, _PAUSE_S
        while True:
            self._between()
            try:
                return self._attempt(method, path, parts, read, headers or {})
            except Refused as error:
                if error.status not in _RETRIED or time.monotonic() + pause_s > deadline:
                    raise
                pause_s = max(pause_s, error.retry_after_s or 0.0)
            except (OSError, http.client.HTTPException) as error:
                if self._drop():
                    continue  # servers close what was idle: at once over a new connection
                if time.monotonic() + pause_s > deadline:
                    raise self._unreachable(error) from None
            except BaseException:
                self._drop()  # an answer may be half read
                raise
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _attempt(
        self,
        method: str,
        path: str,
        parts: Sequence[Buffer],
        read: Callable[[http.client.HTTPResponse], T],
        headers: Mapping[str, str],
    ) -> T:
        connection = self._connection()
        connection.putrequest(method, f"{self._prefix}{path}", skip_accept_encoding=True)
        length = {"Content-Length": str(sum(map(len, parts)))}
        for name, value in {**self._headers, **headers, **length}.items():
            connection.putheader(name, value)
        connection.endheaders()
        _send(connection, parts)
        answer = connection.getresponse()
        if answer.status >= http.client.BAD_REQUEST:
            raise _refused(answer)
        result = read(answer)
        if answer.length:
            raise http.client.IncompleteRead(b"", answer.length)
        self._local.answered = True
        return result

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if found is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            found = kind(self._host, self._port, timeout=_TIMEOUT_S)
            self._local.connection = found
            self._all.append(found)
        return found

    def _drop(self) -> bool:
        """Close the connection; answers whether it had worked before."""
        answered = getattr(self._local, "answered", False)
        self._local.answered = False
        found = getattr(self._local, "connection", None)
        if found is not None:
            with suppress(OSError):
                found.close()
        return answered

    def _unreachable(self, error: Exception) -> Unreachable:
        reason = str(error) or type(error).__name__
        place = f"{self._host}:{self._port}" if self._port else self._host
        return Unreachable(f"{place} does not answer ({reason}): is `hansard up` running there?")


def _send(connection: http.client.HTTPConnection, parts: Sequence[Buffer]) -> None:
    """Small parts are joined: each call is a system call."""
    small: list[Buffer] = []
    size = 0
    for part in parts:
        if len(part) < _JOINED:
            small.append(part)
            size += len(part)
            if size < _JOINED:
                continue
            part = b""
        connection.send(b"".join(small))
        if part:
            connection.send(part)
        small, size = [], 0
    if small:
        connection.send(b"".join(small))


def _refused(answer: http.client.HTTPResponse) -> Refused:
    content = answer.read()
    try:
        problem = json.loads(content)
    except ValueError:
        problem = {}
    retry_after_s = None
    with suppress(TypeError, ValueError):
        retry_after_s = float(answer.headers.get("Retry-After", ""))
    return refusal(answer.status, problem if isinstance(problem, dict) else {}, retry_after_s)
