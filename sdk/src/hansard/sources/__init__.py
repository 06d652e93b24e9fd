"""Data sources, read where they are: files, HTTP(S), S3, and queries of PostgreSQL and SQLite.

Nothing here needs a server; libraries that a source needs are imported when it is opened.
"""

from hansard.sources.contract import Entry, Source
from hansard.sources.errors import (
    AddressRefused,
    MissingLibrary,
    NotResumable,
    QueryRefused,
    SourceChanged,
    SourceDenied,
    SourceError,
    SourceMissing,
    SourceTooLarge,
    SourceUnavailable,
)
from hansard.sources.fetching import fetch
from hansard.sources.opening import open_source
from hansard.sources.reference import check_reference, reference

__all__ = [
    "AddressRefused",
    "Entry",
    "MissingLibrary",
    "NotResumable",
    "QueryRefused",
    "Source",
    "SourceChanged",
    "SourceDenied",
    "SourceError",
    "SourceMissing",
    "SourceTooLarge",
    "SourceUnavailable",
    "check_reference",
    "fetch",
    "open_source",
    "reference",
]
