"""A virtual environment with what a local run requires, and this very SDK, and nothing else."""

import hashlib
import json
import platform
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Sequence
from importlib.metadata import requires, version
from pathlib import Path

import hansard
from hansard.client_errors import HansardError

_READY = ".ready"


def isolated_python(root: Path, requirements: Sequence[str], tell: Callable[[str], None]) -> str:
    """The interpreter of an environment below `root`, made unless an equal one is there.

    Packages come from the configured index, as wheels only. Raises HansardError with what pip says.
    """
    wanted = sorted({*requirements, *_own_requirements()})
    key = [wanted, version("hansard"), platform.python_version(), sysconfig.get_platform()]
    folder = root.resolve() / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
    python = folder / "bin" / "python"
    if not (folder / _READY).exists():
        tell(f"making an environment with {len(wanted)} requirements in {folder}")
        shutil.rmtree(folder, ignore_errors=True)  # half-made: whoever made it was stopped
        venv.create(folder, with_pip=True)
        _install(python, wanted)
        (folder / _READY).touch()
    _copy_sdk(folder)
    return str(python)


def _own_requirements() -> list[str]:
    """What the SDK itself needs; it is on no index, so it is copied."""
    return [line for line in requires("hansard") or () if "extra ==" not in line]


def _install(python: Path, wanted: Sequence[str]) -> None:
    options = ("--quiet", "--disable-pip-version-check", "--only-binary=:all:")
    command = [str(python), "-m", "pip", "install", *options, *wanted]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        said = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")]
        reason = (said or ended.stderr.splitlines() or ["pip failed"])[0]
        raise HansardError(f"what the run requires cannot be installed: {reason}")


def _copy_sdk(folder: Path) -> None:
    """Anew each time: the sources may be edited between two runs."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    place = folder / "lib" / name / "site-packages" / "hansard"
    shutil.rmtree(place, ignore_errors=True)
    source = Path(hansard.__file__).parent
    shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
