"""One caller's conversation with one server: retries, problems, and reading one's own writes."""

import json
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

from hansard.client.effect import Flow, Pause, Reply, Request
from hansard.client_errors import HansardError, Refused, Unreachable, refusal

RETRIED = frozenset({429, 502, 503, 504})
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 3.0
_FIRST_FAILURE = 400
_JSON = {"Content-Type": "application/json"}


class Session:
    """Turns requests into answers. Keeps the highest position that a write answered."""

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self.position = 0

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Flow[Any]:
        """Read from a read model that has folded this session's own writes."""
        return self.ask(Request("GET", path, query=_texts(query or {}), settled=True))

    def write(
        self, method: str, path: str, body: Mapping[str, Any] | None, *, key: bool
    ) -> Flow[Any]:
        """Send a command: `key` for one that has no id of its own to make a retry safe."""
        headers = {"Idempotency-Key": uuid4().hex} if key else {}
        if body is None:
            return self.ask(Request(method, path, headers=headers))
        headers |= _JSON
        return self.ask(Request(method, path, headers=headers, content=_encoded(body)))

    def question(self, path: str, body: Mapping[str, Any]) -> Flow[Any]:
        """Ask what is too long for an address; nothing changes by it."""
        return self.ask(Request("POST", path, headers=_JSON, content=_encoded(body), settled=True))

    def ask(self, request: Request) -> Flow[Any]:
        """The decoded answer, after retries of what may pass. Raises Refused, Unreachable."""
        backoff = Backoff(self.patience_s)
        while True:
            try:
                reply = yield self._settled(request)
                return self._answer(request, reply)
            except (Unreachable, Refused) as error:
                pause_s = backoff.pause_s(error)
            yield Pause(pause_s)

    def _settled(self, request: Request) -> Request:
        if not (request.settled and self.position):
            return request
        return replace(request, query={**request.query, "min_position": str(self.position)})

    def _answer(self, request: Request, reply: Reply) -> Any:
        if reply.status >= _FIRST_FAILURE:
            raise problem(reply)
        if request.sink is not None or not reply.content:
            return None
        answer = decoded(reply)
        if request.method != "GET" and isinstance(answer, dict):
            self.position = max(self.position, int(answer.get("position", 0)))
        return answer


class Backoff:
    """How long to wait after each failure in a row, within a bounded patience."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self.reset()

    def reset(self) -> None:
        """Something went well: be patient anew."""
        self._failures = 0
        self._deadline = time.monotonic() + self._patience_s

    def pause_s(self, error: HansardError) -> float:
        """Seconds to wait now. Raises the error if it will not pass, or patience is over."""
        if isinstance(error, Refused) and error.status not in RETRIED:
            raise error
        longest: float = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**self._failures)
        self._failures += 1
        # Full jitter over the upper half, so that many clients do not come back at once.
        pause = longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        if isinstance(error, Refused) and error.retry_after_s is not None:
            pause = max(pause, error.retry_after_s)
        if time.monotonic() + pause > self._deadline:
            raise error
        return pause


def problem(reply: Reply) -> Refused:
    """The error that a refusing answer stands for."""
    try:
        body = json.loads(reply.content)
    except ValueError:
        body = None
    retry_after_s = None
    with suppress(KeyError, ValueError):  # absent, or a date, which no server of ours sends
        retry_after_s = float(reply.headers["retry-after"])
    return refusal(reply.status, body if isinstance(body, dict) else {}, retry_after_s)


def decoded(reply: Reply) -> Any:
    """The JSON of an answer. Raises Unreachable when something else answers at the address."""
    try:
        return json.loads(reply.content)
    except ValueError:
        raise Unreachable(
            "what answers there is no Hansard server: its answer is no JSON"
        ) from None


def _encoded(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, allow_nan=False, ensure_ascii=False).encode()


def _texts(query: Mapping[str, Any]) -> dict[str, str]:
    """Query values as text; None means left out."""
    return {
        name: json.dumps(value) if isinstance(value, bool) else str(value)
        for name, value in query.items()
        if value is not None
    }
