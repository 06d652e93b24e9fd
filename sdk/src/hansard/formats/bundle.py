"""Bundles: a folder of sources packed into the same bytes on every machine, read with distrust."""

import hashlib
import json
import os
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hansard.formats import archive
from hansard.formats.manifest import FIELDS, MANIFEST_NAME, Manifest, make_manifest, read_manifest
from hansard.formats.problems import BundleError
from hansard.formats.requirements import parse_requirements
from hansard.formats.sources import check_sources, find_entries

__all__ = ["Bundle", "BundleContents", "BundleError", "Manifest", "pack", "read", "unpack"]

IGNORE_NAME = ".hansardignore"
ALWAYS_EXCLUDED = (".*", "__pycache__", "*.pyc", "venv", "node_modules", "*.egg-info")
"""Hidden files are never packed: they hold secrets (``.env``) and tools' state (``.git``)."""

_REQUIREMENTS_NAME = "requirements.txt"
_PROJECT_NAME = "pyproject.toml"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A packed folder; ``digest`` is the sha256 of ``data`` in hex."""

    data: bytes
    digest: str
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class BundleContents:
    """A bundle that was read and found harmless; ``files`` includes the manifest."""

    manifest: Manifest
    files: dict[str, bytes]


def pack(
    folder: Path,
    *,
    entry: str | None = None,
    kind: str | None = None,
    name: str | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> Bundle:
    """Pack a folder of sources.

    What is not given comes from ``hansard.json``, from ``[tool.hansard]`` in pyproject.toml, or is
    found: the one class that derives from a hansard base class. ``include`` keeps only matching
    files; ``exclude`` and the lines of ``.hansardignore`` leave out files or folders. A pattern
    matches a whole path or any one name in it. Raises BundleError under the rules of `read`.
    """
    files = _collect(folder, include, exclude)
    settings = _settings(files)
    settings |= {
        key: value
        for key, value in (("entry", entry), ("kind", kind), ("name", name))
        if value is not None
    }
    _find_entry(settings, files)
    settings.setdefault("name", str(settings["entry"]).rpartition(":")[2])
    manifest = make_manifest(settings)
    files[MANIFEST_NAME] = manifest.to_bytes()
    check_sources(files, manifest.entry)
    data = archive.encode(files)
    return Bundle(data, hashlib.sha256(data).hexdigest(), manifest)


def read(data: bytes) -> BundleContents:
    """Read an upload that anybody may have made, without running or importing any of it.

    Raises BundleError, and nothing else, for whatever the platform does not accept.
    """
    files = archive.decode(data)
    if MANIFEST_NAME not in files:
        raise BundleError("invalid_manifest", "there is no manifest", MANIFEST_NAME)
    manifest = read_manifest(files[MANIFEST_NAME])
    check_sources(files, manifest.entry)
    return BundleContents(manifest, files)


def unpack(contents: BundleContents, folder: Path) -> None:
    """Write the files into a folder that does not exist yet. Raises FileExistsError if it does."""
    folder.mkdir(parents=True)
    for name, data in contents.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(data)


def _collect(folder: Path, include: Sequence[str], exclude: Sequence[str]) -> dict[str, bytes]:
    ignore = folder / IGNORE_NAME
    lines = ignore.read_text().splitlines() if ignore.is_file() else []
    patterns = [line.strip().strip("/") for line in lines if line.strip() and line[0] != "#"]
    excluded = (*ALWAYS_EXCLUDED, *patterns, *(each.strip("/") for each in exclude))
    files: dict[str, bytes] = {}
    total = 0
    for name, entry in _walk(folder, "", excluded):
        if include and not _matches(name, include):
            continue
        total += entry.stat().st_size
        archive.check_size(len(files) + 1, total)  # before it is read: it may be a data set
        files[name] = Path(entry.path).read_bytes()
    return files


def _walk(
    folder: Path, prefix: str, excluded: Sequence[str]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if _matches(name, excluded):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), f"{name}/", excluded)
            elif entry.is_file(follow_symlinks=False):
                yield name, entry
            else:
                code = "link_refused" if entry.is_symlink() else "special_file"
                raise BundleError(code, "only plain files are packed: exclude this one", name)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    last = name.rpartition("/")[2]
    return any(fnmatchcase(name, each) or fnmatchcase(last, each) for each in patterns)


def _settings(files: dict[str, bytes]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if _PROJECT_NAME in files:
        match _parsed(_PROJECT_NAME, files[_PROJECT_NAME]):
            case {"tool": {"hansard": dict(project)}}:
                settings |= project
            case _:
                pass
    if MANIFEST_NAME in files:
        settings |= _parsed(MANIFEST_NAME, files[MANIFEST_NAME])
        settings.pop("format", None)
    if unknown := sorted(settings.keys() - FIELDS):
        raise BundleError("invalid_manifest", f"unknown setting `{unknown[0]}`", MANIFEST_NAME)
    if _REQUIREMENTS_NAME in files and "requirements" not in settings:
        text = files[_REQUIREMENTS_NAME].decode(errors="replace")
        settings["requirements"] = parse_requirements(text, _REQUIREMENTS_NAME)
    return settings


def _parsed(name: str, data: bytes) -> dict[str, Any]:
    try:
        text = data.decode()
        parsed = tomllib.loads(text) if name == _PROJECT_NAME else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError("invalid_manifest", f"cannot be read: {error}", name) from None
    if not isinstance(parsed, dict):
        raise BundleError("invalid_manifest", "is not a JSON object", name)
    return parsed


def _find_entry(settings: dict[str, Any], files: dict[str, bytes]) -> None:
    """Complete ``entry`` and ``kind`` from the sources."""
    if "entry" in settings and "kind" in settings:
        return
    found = [
        (entry, kind)
        for entry, kind in find_entries(files)
        if settings.get("entry", entry) == entry and settings.get("kind", kind) == kind
    ]
    if len(found) != 1:
        names = ", ".join(entry for entry, _ in found) or "none"
        raise BundleError(
            "missing_entry",
            "say which class is the entry and of which kind it is; classes deriving from "
            f"hansard.Executor, hansard.Model or hansard.DatasetLoader: {names}",
        )
    settings["entry"], settings["kind"] = found[0]
