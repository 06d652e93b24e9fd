"""Objects of an S3 bucket: read by ETag, and by version id where the bucket keeps versions.

Credentials come from the `AWS_*` variables or by `credentials=`; without any, requests are not
signed, which public buckets permit.
"""

import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from hansard.sources.contract import (
    PIECE_BYTES,
    Closing,
    Entry,
    check_range,
    checked,
    known,
    summary,
)
from hansard.sources.errors import (
    AddressRefused,
    SourceChanged,
    SourceDenied,
    SourceError,
    SourceMissing,
    SourceUnavailable,
)
from hansard.sources.libraries import require
from hansard.sources.network import Guard

Objects = list[Mapping[str, Any]]
"""What the library says of each object: path, size, e_tag, version."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_ADDRESS = re.compile(r"s3://([^/]*)(?:/(.*))?\Z", re.DOTALL)
_KEYS = frozenset({"access_key_id", "secret_access_key", "session_token"})
_SIGNED_BY = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_CLIENT = {"timeout": "1h", "read_timeout": "60s", "connect_timeout": "10s"}
_ASKING_THREADS = 16
_ERROR_CODE = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")
_DENIALS = frozenset(
    {
        "AccessDenied",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "PermissionDeniedError",
        "SignatureDoesNotMatch",
        "UnauthenticatedError",
    }
)
_KEPT = "a version id names bytes that stay the same for as long as the bucket keeps that version"
_MOVES = "objects can be replaced: without version ids only a copy gives the same data again"


class S3Source(Closing):
    """Reads the objects below a prefix, or the one object that an address names."""

    kind = "s3"
    parallel_ranges = True

    def __init__(
        self,
        address: str,
        *,
        credentials: Mapping[str, str] | None = None,
        endpoint: str | None = None,
        region: str | None = None,
        allow_private: bool = False,
    ) -> None:
        self._bucket, self._prefix = _parsed(address)
        if endpoint is not None:
            _check_endpoint(endpoint, allow_private)
        self._store = _store(self._bucket, credentials or {}, endpoint, region)
        self._seen: dict[str, Entry] = {}
        self._objects: dict[str, Mapping[str, Any]] = {}

    def __repr__(self) -> str:
        return f"<S3Source {self._shown}>"

    @property
    def _shown(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def list(self) -> Iterator[Entry]:
        """The objects, by their paths below the prefix. Raises SourceError by what went wrong."""
        objects = self._versioned(self._listed())
        self._objects = {self._relative(each["path"]): each for each in objects}
        found = checked(
            Entry(path, each["size"], _identity(each)) for path, each in self._objects.items()
        )
        self._seen = {entry.path: entry for entry in found}
        return iter(found)

    def open(self, path: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes of an object. Raises SourceChanged when it was replaced since listed."""
        check_range(start, length)
        if not self._seen:
            self.list()
        return self._read(known(self._seen, path), start, length)

    def fingerprint(self) -> dict[str, Any]:
        """By ETags, and by version ids where the bucket keeps versions."""
        entries = list(self.list())
        kept = all(each.get("version") for each in self._objects.values())
        return {
            "kind": self.kind,
            "address": self._shown,
            "reproducible": kept,
            "why": _KEPT if kept else _MOVES,
            **summary(entries),
        }

    def _listed(self) -> Objects:
        obstore = require("obstore")
        with _Plain(self._shown):
            found = [
                each
                for batch in obstore.list(self._store, self._prefix.rstrip("/") or None)
                for each in batch
            ]
        found = _without_markers(found, self._prefix)
        if found or not self._prefix or self._prefix.endswith("/"):
            return found
        with _Plain(self._shown):
            return [obstore.head(self._store, self._prefix)]

    def _versioned(self, objects: Objects) -> Objects:
        """With version ids, which listings leave out: one question each, if the bucket has any."""
        if not objects or not self._asked(objects[0]).get("version"):
            return objects
        with ThreadPoolExecutor(_ASKING_THREADS) as threads:
            return list(threads.map(self._asked, objects))

    def _asked(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        with _Plain(self._shown):
            answer: Mapping[str, Any] = require("obstore").head(self._store, found["path"])
        return answer

    def _relative(self, key: str) -> str:
        prefix = self._prefix.rstrip("/")
        if key == prefix:
            return key.rpartition("/")[2]
        return key.removeprefix(f"{prefix}/") if prefix else key

    def _read(self, entry: Entry, start: int, length: int | None) -> Iterator[bytes]:
        size = entry.size or 0
        stop = size if length is None else min(size, start + length)
        if start >= stop:
            return
        found = self._objects[entry.path]
        options = {"range": (start, stop), "if_match": found["e_tag"]}
        if found.get("version"):
            options["version"] = found["version"]
        shown = f"`{entry.path}` of {self._shown}"
        count = 0
        with _Plain(shown, gone=SourceChanged):
            result = require("obstore").get(self._store, found["path"], options=options)
            for piece in result.stream(min_chunk_size=PIECE_BYTES):
                count += len(piece)
                yield bytes(piece)
        if count != stop - start:
            raise SourceUnavailable(f"{shown}: {count} of {stop - start} bytes came")


class _Plain:
    """Turns the library's errors into ours: their text can hold signed addresses."""

    def __init__(self, shown: str, gone: type[SourceError] = SourceMissing) -> None:
        self._shown = shown
        self._gone = gone

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: object, _at: object) -> None:
        if kind is None or kind.__module__ not in ("obstore.exceptions", "builtins"):
            return
        if kind is FileNotFoundError:
            raise self._gone(f"{self._shown}: there is nothing at this address") from None
        if kind is ValueError:
            raise SourceError(f"{self._shown}: a key has dots or empty parts") from None
        if kind.__module__ != "builtins":
            raise _failure(kind.__name__, str(error), self._shown) from None


def _failure(library_name: str, text: str, shown: str) -> SourceError:
    match = _ERROR_CODE.search(text)
    code = match[1] if match else library_name
    if code in ("PreconditionError", "PreconditionFailed"):
        return SourceChanged(f"{shown}: it was changed after it was listed")
    if code in _DENIALS:
        return SourceDenied(f"{shown}: the credentials are not accepted, or do not permit it")
    if code == "NoSuchBucket":
        return SourceMissing(f"{shown}: there is no such bucket")
    answer = f"the service answers {code}" if match else "the service does not answer as it should"
    return SourceUnavailable(f"{shown}: {answer}")


def _without_markers(objects: Objects, prefix: str) -> Objects:
    """Less the empty objects by which some tools mark a folder: their keys end with a slash."""
    folders = {prefix.rstrip("/")}
    for each in objects:
        parts = each["path"].split("/")
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    return [each for each in objects if each["size"] or each["path"] not in folders]


def _identity(found: Mapping[str, Any]) -> str:
    if not found.get("e_tag"):
        raise SourceError("the service sends no ETags: nothing would tell that an object changed")
    version = found.get("version")
    return f"etag:{found['e_tag']}" + (f" version:{version}" if version else "")


def _parsed(address: str) -> tuple[str, str]:
    match = _ADDRESS.match(address)
    if match is None or not _BUCKET.match(match[1]):
        raise AddressRefused(
            "an S3 address is s3://bucket/prefix, without credentials: those come from the AWS_*"
            " variables or by credentials="
        )
    return match[1], match[2] or ""


def _check_endpoint(endpoint: str, allow_private: bool) -> None:
    """Only as far as possible: the S3 library resolves the name once more by itself."""
    try:
        parts = urlsplit(endpoint)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        raise AddressRefused("the endpoint begins with https:// and a host") from None
    if parts.username or parts.password or not parts.hostname:
        raise AddressRefused("the endpoint is a plain address, without credentials")
    Guard(allow_private=allow_private).addresses(parts.hostname, port)


def _store(
    bucket: str, credentials: Mapping[str, str], endpoint: str | None, region: str | None
) -> Any:
    if not credentials.keys() <= _KEYS:
        raise AddressRefused(f"credentials of S3 are {', '.join(sorted(_KEYS))}")
    config: dict[str, Any] = dict(credentials)
    if not credentials and not any(map(os.environ.get, _SIGNED_BY)):
        config["skip_signature"] = True
    if endpoint is not None:
        config["endpoint"] = endpoint
    if region is not None:
        config["region"] = region
    used = endpoint or next(filter(None, map(os.environ.get, _ENDPOINTS)), "")
    client = {**_CLIENT, "allow_http": used.startswith("http://")}
    store = require("obstore.store")
    with _Plain(f"s3://{bucket}"):
        return store.S3Store(bucket, config=config, client_options=client)
