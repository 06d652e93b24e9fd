"""Bundles: a folder of sources packed into the same bytes on every machine, read with distrust."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hansard.formats import archive
from hansard.formats.manifest import MANIFEST_NAME, Manifest, make_manifest, read_manifest
from hansard.formats.problems import BundleError
from hansard.formats.project import Project, read_project
from hansard.formats.requirements import parse_requirements
from hansard.formats.selection import collect, selection
from hansard.formats.sources import check_sources, find_entries
from hansard.formats.vendoring import check_packages, package_folder, vendor

__all__ = ["Bundle", "BundleContents", "BundleError", "Manifest", "pack", "read", "unpack"]

_REQUIREMENTS_NAME = "requirements.txt"


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
    files; ``exclude`` and the lines of ``.hansardignore`` leave out files or folders, in the syntax
    of ``.gitignore``. ``packages`` of the settings name folders that are packed with it, each under
    its own name. Raises BundleError under the rules of `read`.
    """
    project = read_project(folder)
    chosen = selection(folder, include or project.include, (*project.exclude, *exclude))
    files = collect(folder, chosen)
    settings = {"requirements": _requirements(project, files), **project.settings}
    given = {"entry": entry, "kind": kind, "name": name}
    settings |= {key: value for key, value in given.items() if value is not None}
    _find_entry(settings, files)
    settings.setdefault("name", str(settings["entry"]).rpartition(":")[2])
    if project.vendored:
        files |= _vendored(folder, project.vendored, settings, files)
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
    check_packages(manifest.packages, files)
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


def _requirements(project: Project, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Those of requirements.txt, or else those of pyproject.toml."""
    if _REQUIREMENTS_NAME not in files:
        return project.dependencies
    text = files[_REQUIREMENTS_NAME].decode(errors="replace")
    return parse_requirements(text, _REQUIREMENTS_NAME)


def _vendored(
    folder: Path, paths: Sequence[str], settings: dict[str, Any], files: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The files of shared packages; the settings tell of them from now on."""
    found, settings["packages"] = vendor(package_folder(folder, path) for path in paths)
    taken = {name.partition("/")[0].removesuffix(".py") for name in files}
    if both := sorted(taken & settings["packages"].keys()):
        detail = f"the folder has a `{both[0]}` of its own"
        raise BundleError("duplicate_name", detail, both[0])
    return found


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
