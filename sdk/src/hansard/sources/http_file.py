"""A file served over HTTP(S): known by its ETag or date, resumed by range only when unchanged."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from typing import Any

import httpx

from hansard.formats.archive import check_names
from hansard.formats.problems import BundleError
from hansard.sources.contract import Closing, Entry, check_range, known, summary
from hansard.sources.errors import (
    NotResumable,
    SourceChanged,
    SourceError,
    SourceTooLarge,
    SourceUnavailable,
)
from hansard.sources.http_request import HttpRequest
from hansard.sources.libraries import require
from hansard.sources.network import Guard, Resolver, system_resolver

_WHY = "the server can send other bytes at any time: only a copy gives the same data again"
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})\Z")
_PARTIAL = 206
_SURE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _State:
    """What an answer's headers say about the content."""

    size: int | None
    etag: str | None
    modified: str | None
    validator: str | None
    """What If-Range takes: a strong ETag, or a date that no later change can share."""
    ranges: bool

    @property
    def fingerprint(self) -> str:
        if self.etag:
            return f"etag:{self.etag}"
        return f"modified:{self.modified}" if self.modified else "unknown"


class HttpSource(Closing):
    """Reads one address. `max_bytes` bounds what is accepted."""

    kind = "http"

    def __init__(
        self,
        address: str,
        *,
        credentials: Mapping[str, str] | None = None,
        allow_private: bool = False,
        resolver: Resolver = system_resolver,
        max_bytes: int | None = None,
        ca_file: Path | None = None,
    ) -> None:
        guard = Guard(allow_private=allow_private, resolver=resolver)
        self._request = HttpRequest(address, guard, credentials, ca_file)
        self._max_bytes = max_bytes
        self._name = _name(self._request.path)
        self._state: _State | None = None
        self._digest: str | None = None

    def __repr__(self) -> str:
        return f"<HttpSource {self._request.shown}>"

    @property
    def parallel_ranges(self) -> bool:
        """Whether the server sends ranges, and says by a validator that they belong together."""
        return self._state is not None and self._state.ranges and bool(self._state.validator)

    def list(self) -> Iterator[Entry]:
        """The one file. Asks by GET, as signed addresses permit no HEAD, and reads no body."""
        with self._request.get({}) as response:
            self._state = _state(response)
        self._check_size(self._state.size or 0)
        return iter([Entry(self._name, self._state.size, self._state.fingerprint)])

    def open(self, path: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes. Raises SourceChanged, NotResumable, SourceUnavailable, SourceTooLarge."""
        check_range(start, length)
        if self._state is None:
            self.list()
        known({self._name: Entry(self._name, None, "")}, path)
        assert self._state is not None
        if start or length is not None:
            return self._part(self._state, start, length)
        return self._whole(self._state)

    def fingerprint(self) -> dict[str, Any]:
        """By a strong ETag; where the server sends none, the content is read and digested."""
        [entry] = self.list()
        state = self._state
        assert state is not None
        if not (state.etag and state.etag == state.validator):
            entry = self._read_once(state)
        return {
            "kind": self.kind,
            "address": self._request.shown,
            "etag": state.etag,
            "last_modified": state.modified,
            "reproducible": False,
            "why": _WHY,
            **summary([entry]),
        }

    def _read_once(self, state: _State) -> Entry:
        digest, size = require("blake3").blake3(), 0
        for piece in self._whole(state):
            digest.update(piece)
            size += len(piece)
        return Entry(self._name, size, f"blake3:{digest.hexdigest()}")

    def _whole(self, state: _State) -> Iterator[bytes]:
        with self._request.get({}) as response:
            self._check_same(state, _state(response))
            yield from self._counted(response, state.size)

    def _part(self, state: _State, start: int, length: int | None) -> Iterator[bytes]:
        if state.validator is None or state.size is None:
            raise NotResumable(f"{self._request.shown}: nothing says that a rest would fit")
        stop = state.size if length is None else min(state.size, start + length)
        if start >= stop:
            return
        headers = {"Range": f"bytes={start}-{stop - 1}", "If-Range": state.validator}
        with self._request.get(headers) as response:
            self._check_same(state, _state(response))
            if response.status_code != _PARTIAL:
                raise NotResumable(f"{self._request.shown}: the server sends no ranges")
            match = _CONTENT_RANGE.match(response.headers.get("content-range", ""))
            if not match or tuple(map(int, match.groups())) != (start, stop - 1, state.size):
                raise SourceError(f"{self._request.shown}: the server sent another range")
            yield from self._counted(response, stop - start)

    def _counted(self, response: httpx.Response, expected: int | None) -> Iterator[bytes]:
        count = 0
        for piece in self._request.pieces(response):
            count += len(piece)
            self._check_size(count)
            yield piece
        if expected is not None and count != expected:
            raise SourceUnavailable(f"{self._request.shown}: {count} of {expected} bytes came")

    def _check_same(self, seen: _State, now: _State) -> None:
        # A part's answer may leave out the date where it has the ETag, and the size of the whole.
        other_size = None not in (seen.size, now.size) and seen.size != now.size
        if other_size or seen.fingerprint != now.fingerprint:
            raise SourceChanged(f"{self._request.shown}: it was changed after it was listed")

    def _check_size(self, size: int) -> None:
        if self._max_bytes is not None and size > self._max_bytes:
            raise SourceTooLarge(f"{self._request.shown}: more than {self._max_bytes} bytes")


def _state(response: httpx.Response) -> _State:
    headers = response.headers
    etag, modified = headers.get("etag"), headers.get("last-modified")
    strong = etag if etag and not etag.startswith("W/") else None
    return _State(
        size=_size(response),
        etag=etag,
        modified=modified,
        validator=strong or (modified if not etag and _settled(modified, headers) else None),
        ranges=headers.get("accept-ranges", "").lower() == "bytes",
    )


def _size(response: httpx.Response) -> int | None:
    """Of the whole content, also where the answer is a part of it."""
    if response.status_code == _PARTIAL:
        match = _CONTENT_RANGE.match(response.headers.get("content-range", ""))
        return int(match[3]) if match else None
    text = response.headers.get("content-length", "")
    return int(text) if text.isdecimal() and "transfer-encoding" not in response.headers else None


def _settled(modified: str | None, headers: Mapping[str, str]) -> bool:
    """Whether a second change within the same second is ruled out: RFC 9110, section 8.8.2.2."""
    changed, now = _date(modified), _date(headers.get("date"))
    return changed is not None and now is not None and now - changed >= _SURE


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone() if text else None
    except (ValueError, OverflowError):
        return None


def _name(path: str) -> str:
    """The last part of an address as the file's name, where it is a safe one."""
    name = PurePosixPath(path).name
    try:
        check_names([name])
    except BundleError:
        return "download"
    return name
