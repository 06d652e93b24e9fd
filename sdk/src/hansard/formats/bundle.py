"""Bundles: a folder of sources packed into the same bytes on every machine, read with distrust."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hansard.formats import archive
from hansard.formats.layers import merged
from hansard.formats.manifest import MANIFEST_NAME, Manifest, make_manifest, read_manifest
from hansard.formats.problems import BundleError
from hansard.formats.project import Project, read_project
from hansard.formats.requirements import parse_requirements
from hansard.formats.selection import collect, selection
from hansard.formats.sources import check_sources, find_entries
from hansard.formats.vendoring import check_packages, package_folder, vendor

__all__ = [
    "Base",
    "Bundle",
    "BundleContents",
    "BundleError",
    "Manifest",
    "pack",
    "peek",
    "read",
    "unpack",
]

_REQUIREMENTS_NAME = "requirements.txt"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A packed folder; ``digest`` is the sha256 of ``data`` in hex."""

    data: bytes
    digest: str
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class BundleContents:
    """A bundle that was read and found harmless; ``files`` includes the manifest.

    Of a bundle that extends a version they are those of all layers, as its code sees them.
    """

    manifest: Manifest
    files: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Base:
    """A version that is extended: its id, the digest of its bundle, and what is in it."""

    version: str
    bundle: str
    contents: BundleContents


def pack(
    folder: Path,
    *,
    entry: str | None = None,
    kind: str | None = None,
    name: str | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    base: Base | None = None,
    more: Mapping[str, bytes] | None = None,
) -> Bundle:
    """Pack a folder of sources.

    What is not given comes from ``hansard.json``, from ``[tool.hansard]`` in pyproject.toml, or is
    found: the one class that derives from a hansard base class. ``include`` keeps only matching
    files; ``exclude`` and the lines of ``.hansardignore`` leave out files or folders, in the syntax
    of ``.gitignore``. ``packages`` of the settings name folders that are packed with it, each under
    its own name. With a ``base``, what the settings do not say is as it is there, and the files
    stand in front of its own. ``more`` files join those of the folder, and replace them. Raises
    BundleError under the rules of `read`.
    """
    project = read_project(folder)
    if project.base is not None and base is None:
        raise BundleError("invalid_manifest", f"`{project.base}` must be found first", "base")
    chosen = selection(folder, include or project.include, (*project.exclude, *exclude))
    files = {**collect(folder, chosen), **(more or {})}
    settings = {**_inherited(base), **_requirements(project, files), **project.settings}
    given = {"entry": entry, "kind": kind, "name": name}
    settings |= {key: value for key, value in given.items() if value is not None}
    _find_entry(settings, files)
    settings.setdefault("name", str(settings["entry"]).rpartition(":")[2])
    if project.vendored:
        files |= _vendored(folder, project.vendored, settings, files)
    manifest = make_manifest(settings)
    files[MANIFEST_NAME] = manifest.to_bytes()
    check_sources(merged([base.contents.files, files]) if base else files, manifest.entry)
    data = archive.encode(files)
    return Bundle(data, hashlib.sha256(data).hexdigest(), manifest)


def read(data: bytes, below: Sequence[bytes] = ()) -> BundleContents:
    """Read an upload that anybody may have made, without running or importing any of it.

    ``below`` are the bundles that it extends, the lowest first. Raises BundleError, and nothing
    else, for whatever the platform does not accept.
    """
    files, manifest = _opened(data)
    if bool(manifest.base) != bool(below):
        raise BundleError("invalid_manifest", "what it extends must be read with it", "base")
    files = merged([*(_opened(each)[0] for each in below), files])
    check_sources(files, manifest.entry)
    return BundleContents(manifest, files)


def peek(data: bytes) -> Manifest:
    """The manifest alone, of a bundle whose sources are not looked at. Raises BundleError."""
    return _opened(data)[1]


def _opened(data: bytes) -> tuple[dict[str, bytes], Manifest]:
    files = archive.decode(data)
    if MANIFEST_NAME not in files:
        raise BundleError("invalid_manifest", "there is no manifest", MANIFEST_NAME)
    manifest = read_manifest(files[MANIFEST_NAME])
    check_packages(manifest.packages, files)
    return files, manifest


def unpack(contents: BundleContents, folder: Path) -> None:
    """Write the files into a folder that does not exist yet. Raises FileExistsError if it does."""
    folder.mkdir(parents=True)
    for name, data in contents.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(data)


def _inherited(base: Base | None) -> dict[str, Any]:
    """What a bundle has of the version that it extends, unless it says so itself."""
    if base is None:
        return {}
    manifest = base.contents.manifest
    return {
        "kind": manifest.kind,
        "entry": manifest.entry,
        "name": manifest.name,
        "description": manifest.description,
        "requirements": manifest.requirements,
        "base": {"version": base.version, "bundle": base.bundle},
    }


def _requirements(project: Project, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Those of requirements.txt, or else those of pyproject.toml, where there are any."""
    if _REQUIREMENTS_NAME in files:
        text = files[_REQUIREMENTS_NAME].decode(errors="replace")
        return {"requirements": parse_requirements(text, _REQUIREMENTS_NAME)}
    return {"requirements": project.dependencies} if project.dependencies else {}


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
