"""Reference mode: what identifies a source is kept instead of its bytes."""

from collections.abc import Mapping
from typing import Any

from hansard.sources.contract import Source
from hansard.sources.errors import SourceChanged, SourceError

MODE = "reference"
NOTE = (
    "No bytes were kept, only what identifies them: a run with this data cannot be reproduced once"
    " the source moves."
)
_NAMED = 5
_FACTS = {
    "kind": "the kind of source",
    "address": "the address",
    "query": "the query",
    "parameters_digest": "the parameters",
    "order_by": "the order",
    "columns": "the columns",
    "row_count": "the number of rows",
    "rows_digest": "the rows",
}


def reference(source: Source) -> dict[str, Any]:
    """The document that is kept: the fingerprint now, the mode, and what it does not promise."""
    return {**source.fingerprint(), "mode": MODE, "note": NOTE}


def check_reference(document: Mapping[str, Any], source: Source) -> None:
    """Raises SourceChanged saying what moved, SourceError for what is no such document."""
    if document.get("mode") != MODE or not isinstance(document.get("kind"), str):
        raise SourceError("this document is no reference to a data source")
    now = source.fingerprint()
    for name, words in _FACTS.items():
        if _plain(document.get(name)) != _plain(now.get(name)):
            raise SourceChanged(f"the source is not what was referred to: {words} changed")
    # Of rows the digest above decides: their file's also changes with the version of its writer.
    if "rows_digest" not in now and document.get("entries_digest") != now["entries_digest"]:
        raise SourceChanged(f"the source is not what was referred to: {_moved(document, now)}")


def _plain(value: object) -> object:
    """A value as it comes back from JSON."""
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _moved(document: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    before, after = _by_path(document), _by_path(now)
    if before is None or after is None:
        return f"its {document.get('count')} files then are other than its {now['count']} now"
    kinds = {
        "changed": [path for path in before if path in after and before[path] != after[path]],
        "gone": [path for path in before if path not in after],
        "new": [path for path in after if path not in before],
    }
    return "; ".join(f"{kind}: {_names(paths)}" for kind, paths in kinds.items() if paths)


def _by_path(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """What identifies each file, None where a document does not name them."""
    entries = document.get("entries")
    if not isinstance(entries, list):
        return None
    return {
        str(each.get("path")): (each.get("size"), each.get("fingerprint"))
        for each in entries
        if isinstance(each, Mapping)
    }


def _names(paths: list[str]) -> str:
    more = len(paths) - _NAMED
    shown = ", ".join(f"`{path}`" for path in paths[:_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown
