"""Fetches files of the platform over HTTP, with the token of a run.

Standard library only: a launcher must start quickly. A platform that restarts is waited for.
"""

import http.client
import time
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, NoReturn
from urllib.parse import urlsplit

from workers.faults import PlatformFault

RETRY_S = 30.0
TIMEOUT_S = 30.0
_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_PIECE = 1 << 20


class FilesUnavailable(PlatformFault):
    """The platform is out of reach, or refuses: an infrastructure failure, told without secrets."""


class FileClient:
    """One kept-alive connection. ``between`` is called between pieces and may raise to give up."""

    def __init__(self, url: str, token: str, between: Callable[[], None]) -> None:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._between = between

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def fetch(self, digest: str, target: BinaryIO) -> None:
        """Write a file's content to ``target``, an empty file. Raises FilesUnavailable.

        The caller checks the digest.
        """

        def attempt() -> None:
            target.seek(0)
            target.truncate()
            answer = self._ask(digest)
            while piece := answer.read(_PIECE):
                target.write(piece)
                self._between()
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)

        self._persistently(attempt)

    def _ask(self, digest: str) -> http.client.HTTPResponse:
        path = f"{self._prefix}/v1/files/{digest}"
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        if answer.status >= http.client.BAD_REQUEST:
            answer.read(_PIECE)
            self._refuse(answer.status)
        return answer

    def _refuse(self, status: int) -> NoReturn:
        if status >= http.client.INTERNAL_SERVER_ERROR or status == http.client.TOO_MANY_REQUESTS:
            raise http.client.HTTPException(f"status {status}")
        raise FilesUnavailable(f"the platform refused to hand out a file: status {status}")

    def _persistently(self, attempt: Callable[[], None]) -> None:
        """Until it works; connection errors and the platform's own trouble for RETRY_S at most."""
        deadline, pause = time.monotonic() + RETRY_S, _PAUSE_S
        while True:
            try:
                return attempt()
            except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
                reason = str(error) or type(error).__name__
            except BaseException:
                self._connection.close()  # an answer was left half read
                raise
            with suppress(OSError):
                self._connection.close()
            if time.monotonic() + pause > deadline:
                raise FilesUnavailable(f"the platform did not answer for {RETRY_S:g} s: {reason}")
            self._between()
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
