"""From an address to its source."""

import inspect
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from hansard.sources.contract import Source
from hansard.sources.errors import AddressRefused
from hansard.sources.http_file import HttpSource
from hansard.sources.local import LocalSource
from hansard.sources.postgresql import PostgresqlSource
from hansard.sources.s3 import S3Source
from hansard.sources.sqlite import SqliteSource

KINDS = ("local", "http", "s3", "sqlite", "postgresql")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BY_SCHEME = {
    "file": "local",
    "http": "http",
    "https": "http",
    "s3": "s3",
    "sqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
}
_QUERY_OPTIONS = ("query", "order_by")


def open_source(address: str, *, kinds: Collection[str] = KINDS, **options: Any) -> Source:
    """The source at an address: a path, or a URL of file, http, https, s3, sqlite or postgresql.

    The options are those of the source's class; of SQL, `query` and `order_by` may be in the
    address. A server that opens its users' addresses names the `kinds` it permits: those of local
    files read its own disk. Raises AddressRefused, QueryRefused, MissingLibrary, SourceMissing.
    """
    match = _SCHEME.match(address)
    scheme = match[1].lower() if match else "file"
    kind = _BY_SCHEME.get(scheme)
    if kind is None:
        raise AddressRefused(f"`{scheme}` is no kind of source: {', '.join(sorted(_BY_SCHEME))}")
    if kind not in kinds:
        raise AddressRefused(f"sources of the kind {kind} are not permitted here")
    make = _MAKERS[kind]
    permitted = list(inspect.signature(make).parameters)[1:]
    for name in options:
        if name not in permitted:
            raise AddressRefused(
                f"a source of the kind {kind} has no option `{name}`: {', '.join(permitted)}"
            )
    if kind in ("sqlite", "postgresql"):
        address, options = _without_query(address, options)
    return make(address, **options)


def _local(address: str) -> Source:
    if not _SCHEME.match(address):
        return LocalSource(Path(address))
    try:
        parts = urlsplit(address)
    except ValueError:
        raise AddressRefused("the address is no URL") from None
    if parts.netloc not in ("", "localhost") or not parts.path or parts.query or parts.fragment:
        raise AddressRefused("a file address is file:///absolute/path")
    return LocalSource(Path(unquote(parts.path)))


_MAKERS: dict[str, Callable[..., Source]] = {
    "local": _local,
    "http": HttpSource,
    "s3": S3Source,
    "sqlite": SqliteSource,
    "postgresql": PostgresqlSource,
}


def _without_query(address: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The address less the options it holds. Raises AddressRefused for one given twice."""
    plain, _, text = address.partition("?")
    kept = []
    options = dict(options)
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name not in _QUERY_OPTIONS:
            kept.append(f"{name}={value}")
        elif name in options:
            raise AddressRefused(f"`{name}` is given twice")
        else:
            options[name] = value
    return "?".join(filter(None, (plain, "&".join(kept)))), options
