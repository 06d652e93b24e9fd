"""What processes inherit of our environment variables: what they need, and none of our secrets.

User code may run under the same user, to whom the environment of each process is readable.
"""

import os

from infra.embedded.supervisor_mark import VARIABLE
from infra.environments.pip_settings import KEPT_VARIABLES

WORK_VARIABLE = "HANSARD_NODE_WORK"
"""Tells Ray's workers in which folder their node executes attempts."""

_PROCESS = (
    *("PATH", "HOME", "USER", "TMPDIR", "LANG", "LC_ALL", "PYTHONPATH", "LD_LIBRARY_PATH"),
    *("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", VARIABLE),
)
_SECRET_SETTINGS = ("SECRET", "PASSWORD", "TOKEN", "KEY", "_URL")
_HARMLESS_URLS = ("HANSARD_API_URL",)


def ray_surroundings() -> dict[str, str]:
    """For Ray and its drivers, which fetch nothing and need no setting of ours."""
    return _of(*_PROCESS, *(name for name in os.environ if name.startswith("RAY_")))


def launcher_surroundings() -> dict[str, str]:
    """For what launches steps: also the settings without credentials, and where packages lie."""
    settings = (name for name in os.environ if name.startswith("HANSARD_") and _harmless(name))
    pip = (name for name in os.environ if name.startswith("PIP_"))
    return _of(*_PROCESS, *KEPT_VARIABLES, *settings, *pip)


def _harmless(setting: str) -> bool:
    return setting in _HARMLESS_URLS or not any(word in setting for word in _SECRET_SETTINGS)


def _of(*names: str) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}
