"""Data of any kind as local files, ready to be a version of a dataset."""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hansard.artifacts.assembling import local_files, named_files
from hansard.artifacts.transfer import Meter, Progress
from hansard.client_errors import HansardError
from hansard.sources import fetch, open_source, reference
from hansard.tables import table_format, write_parquet

REFERENCE_FILE = "reference.json"
_TABLE_FILE = "data.parquet"
_MAX_ORIGIN_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class Prepared:
    """Files by their paths in the version, sorted and checked, and what is known of them."""

    files: Mapping[str, str | Path]
    details: dict[str, Any] = field(default_factory=dict)
    temporary: bool = False


def prepare(
    data: Any,
    folder: Path,
    *,
    by_reference: bool = False,
    options: Mapping[str, Any] | None = None,
    told: Progress | None = None,
) -> Prepared:
    """Local files for data: as they are, fetched from a source, or written from tables.

    New files go into `folder`. Raises HansardError, SourceError, TableError, OSError, BundleError.
    """
    if isinstance(data, str) and "://" in data:
        if by_reference:
            return _referred(data, folder, options or {})
        return _fetched(data, folder, options or {}, told)
    if options:
        raise HansardError("options are for the address of a source, such as postgresql://")
    if by_reference:
        if not isinstance(data, str | Path):
            raise HansardError("only a path or the address of a source can be referred to")
        return _referred(str(data), folder, {})
    if isinstance(data, str | Path):
        return _as_they_are(local_files(Path(data)))
    if _is_paths(data):
        return _as_they_are(named_files(_named(data)))
    return _written(data, folder)


def _referred(address: str, folder: Path, options: Mapping[str, Any]) -> Prepared:
    with closing(open_source(address, **options)) as source:
        document = reference(source)
    path = folder / REFERENCE_FILE
    path.write_text(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False))
    details = {"mode": "reference", "reproducible": False, "form": "files"}
    return Prepared({REFERENCE_FILE: path}, {**details, "origin_source": _short(document)}, True)


def _fetched(
    address: str, folder: Path, options: Mapping[str, Any], told: Progress | None
) -> Prepared:
    place = folder / "fetched"
    with closing(open_source(address, **options)) as source:
        fetch(source, place, Meter("fetching", None, told))
        fingerprint = source.fingerprint()
    found = _as_they_are(local_files(place))
    details = {**found.details, "origin_source": _short(fingerprint)}
    return Prepared(found.files, details, temporary=True)


def _short(fingerprint: dict[str, Any]) -> dict[str, Any]:
    """Without the names of its files where these are too many for what is said of a version."""
    if len(json.dumps(fingerprint).encode()) <= _MAX_ORIGIN_BYTES:
        return fingerprint
    return {name: value for name, value in fingerprint.items() if name != "entries"}


def _is_paths(data: Any) -> bool:
    values = data.values() if isinstance(data, Mapping) else data
    if not isinstance(data, Mapping) and not isinstance(data, list | tuple):
        return False
    return bool(data) and all(isinstance(value, str | Path) for value in values)


def _named(data: Mapping[str, str | Path] | Sequence[str | Path]) -> Mapping[str, str | Path]:
    """Files by the names they are given, else by their own; folders by what is in them."""
    if isinstance(data, Mapping):
        return data
    found: dict[str, str] = {}
    for source in map(Path, data):
        inside = local_files(source)
        if source.is_dir():
            inside = {f"{source.name}/{path}": file for path, file in inside.items()}
        if twice := found.keys() & inside.keys():
            raise HansardError(f"two files are called `{min(twice)}`")
        found |= inside
    return found


def _as_they_are(files: Mapping[str, str]) -> Prepared:
    tables = all(table_format(Path(source)) for source in files.values())
    return Prepared(files, {"mode": "copy", "form": "table" if tables else "files"})


def _written(data: Any, folder: Path) -> Prepared:
    """Tables as Parquet: one, or several by name."""
    tables = {_TABLE_FILE: data}
    if isinstance(data, Mapping) and data and all(map(_is_table, data.values())):
        tables = {f"{name}.parquet": table for name, table in data.items()}
    files = {}
    for name, table in tables.items():
        path = folder / name
        if path.parent != folder:
            raise HansardError(f"`{name}` is no name of a table")
        write_parquet(table, path)
        files[name] = path
    return Prepared(named_files(files), {"mode": "copy", "form": "table"}, temporary=True)


def _is_table(value: Any) -> bool:
    return hasattr(value, "columns") and hasattr(value, "shape")
