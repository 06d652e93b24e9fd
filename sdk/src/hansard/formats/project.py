"""What a folder says of itself: ``[tool.hansard]`` in pyproject.toml, then ``hansard.json``."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hansard.formats.manifest import FIELDS, MANIFEST_NAME
from hansard.formats.problems import BundleError

PROJECT_NAME = "pyproject.toml"
MAX_SETTINGS_BYTES = 1024 * 1024

_LISTS = ("include", "exclude")


@dataclass(frozen=True, slots=True)
class Project:
    """``settings`` are fields of the manifest; ``vendored`` are folders of packages to add.

    ``base`` is the name of the version to extend, as its user wrote it.
    ``dependencies`` are those of ``[project]``, for a folder that lists requirements nowhere else.
    """

    settings: dict[str, Any]
    dependencies: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    vendored: tuple[str, ...] = ()
    base: str | None = None


def read_project(folder: Path) -> Project:
    """Raises BundleError for a file that cannot be read, and for a setting that is not known."""
    document = _parsed(folder, PROJECT_NAME)
    settings = _table(_table(document, "tool"), "hansard")
    project = _table(document, "project")
    dependencies = _texts(project, "dependencies") if "dependencies" in project else ()
    settings |= _parsed(folder, MANIFEST_NAME)
    settings.pop("format", None)
    lists = {name: _texts(settings, name) for name in _LISTS if name in settings}
    for name in lists:
        del settings[name]
    vendored: tuple[str, ...] = ()
    if isinstance(settings.get("packages"), list):  # paths; a packed manifest says what came of it
        vendored = _texts(settings, "packages")
        del settings["packages"]
    base = settings.pop("base") if isinstance(settings.get("base"), str) else None
    if unknown := sorted(settings.keys() - FIELDS):
        raise BundleError("invalid_manifest", f"unknown setting `{unknown[0]}`", MANIFEST_NAME)
    return Project(settings, dependencies, vendored=vendored, base=base, **lists)


def _texts(settings: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = settings[name]
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise BundleError("invalid_manifest", f"`{name}` must be a list of text", PROJECT_NAME)
    return tuple(value)


def _table(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name, {})
    return dict(found) if isinstance(found, dict) else {}


def _parsed(folder: Path, name: str) -> dict[str, Any]:
    path = folder / name
    if not path.is_file():
        return {}
    if path.stat().st_size > MAX_SETTINGS_BYTES:
        raise BundleError("invalid_manifest", f"more than {MAX_SETTINGS_BYTES} bytes", name)
    try:
        text = path.read_bytes().decode()
        parsed = tomllib.loads(text) if name == PROJECT_NAME else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BundleError("invalid_manifest", f"cannot be read: {error}", name) from None
    if not isinstance(parsed, dict):
        raise BundleError("invalid_manifest", "is not a JSON object", name)
    return parsed
