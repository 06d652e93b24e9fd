"""Shared local packages: a folder beside the project that is packed into the bundle with it."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from hansard.formats import archive
from hansard.formats.problems import BundleError
from hansard.formats.selection import collect, selection

_WHERE = "packages"


def package_folder(root: Path, path: str) -> Path:
    """The folder that a project's setting names. Raises BundleError unless it is one."""
    folder = root / path
    if folder.is_symlink() or not folder.is_dir():
        raise _refused(f"`{path}` is no folder beside the project, or a link to one")
    if folder.resolve() in (root.resolve(), *root.resolve().parents):
        raise _refused(f"`{path}` holds the project itself")
    return folder.resolve()


def vendor(folders: Iterable[Path]) -> tuple[dict[str, bytes], dict[str, str]]:
    """The files of packages by their path in the bundle, and the digest of each package by name.

    Raises BundleError under the rules of packing, and for two packages of one name.
    """
    files: dict[str, bytes] = {}
    digests: dict[str, str] = {}
    for folder in folders:
        name = folder.name
        if name in digests:
            raise _refused(f"two packages are called `{name}`")
        found = {
            f"{name}/{path}": each for path, each in collect(folder, selection(folder)).items()
        }
        if not found:
            raise _refused(f"there is nothing to pack in `{name}`")
        digests[name] = package_digest(name, found)
        files |= found
        archive.check_size(len(files), sum(map(len, files.values())))
    return files, digests


def package_digest(name: str, files: Mapping[str, bytes]) -> str:
    """The SHA-256, in hex, of the archive of a bundle's files under this folder."""
    own = {path: data for path, data in files.items() if path.startswith(f"{name}/")}
    return hashlib.sha256(archive.encode(own)).hexdigest()


def check_packages(packages: Mapping[str, str], files: Mapping[str, bytes]) -> None:
    """Raises BundleError if a bundle does not hold the packages that its manifest tells of."""
    for name, digest in packages.items():
        if package_digest(name, files) != digest:
            raise _refused(f"the files of `{name}` are not those that the manifest tells of")


def _refused(detail: str) -> BundleError:
    return BundleError("invalid_manifest", detail, _WHERE)
