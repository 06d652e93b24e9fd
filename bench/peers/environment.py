"""The environment in which MLflow and DVC are installed, made once and kept in a cache folder."""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

CACHE_SETTING = "HANSARD_BENCH_CACHE"
"""Environment variable that names the cache folder; `~/.cache/hansard-bench` if not set."""

_ROOT = Path(__file__).parents[2]
_REQUIREMENTS = _ROOT / "bench" / "requirements-peers.txt"
_DROPPED = ("MLFLOW_", "DVC_", "PYTHON", "HANSARD_")


def peers_python() -> Path:
    """The interpreter of the peers' environment, installed first where it is missing: minutes.

    Raises subprocess.CalledProcessError if it cannot be installed.
    """
    key = sha256(_REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = _cache() / f"peers-{key}"
    python, ready = folder / "bin" / "python", folder / ".ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        subprocess.run([*pip, "-r", str(_REQUIREMENTS)], check=True)
        ready.touch()
    return python


def peers_variables(folder: Path) -> dict[str, str]:
    """Environment variables for a peer that keeps all it writes in a folder, and calls nobody."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(_DROPPED)}
    return {
        **inherited,
        "PYTHONPATH": str(_ROOT),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "DO_NOT_TRACK": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "DVC_NO_ANALYTICS": "true",
        "DVC_SITE_CACHE_DIR": str(folder / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(folder / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(folder / "system"),
    }


def _cache() -> Path:
    named = os.environ.get(CACHE_SETTING)
    return Path(named).absolute() if named else Path.home() / ".cache" / "hansard-bench"
