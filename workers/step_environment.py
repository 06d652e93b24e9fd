"""The environment variables of a step: ours, and those that the run was given."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from hansard.run_log import STEP_DIR_VARIABLE
from workers.faults import StepFault
from workers.launch_spec import LaunchSpec
from workers.sandbox.devices import VISIBLE, visible_gpus

_HASH_SEEDS = 2**32
_NAME = re.compile(r"(?!LD_|PYTHON|HANSARD_)[A-Za-z_][A-Za-z0-9_]{0,127}")
"""Not what changes how programs of the platform start, which are the first that see them."""


def step_environment(spec: LaunchSpec, python: Path, step: Path) -> dict[str, str]:
    """All environment variables of the step, nothing of which comes from ours unless listed.

    Where the run was given one of ours, ours wins. Raises StepFault for a name that cannot be.
    """
    threads = str(spec.threads)
    return {
        **_checked(spec.variables),
        **_checked(spec.secrets),
        "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(step),
        "PWD": str(step),
        "TMPDIR": str(step / "tmp"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": str(spec.seed % _HASH_SEEDS),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "NUMEXPR_NUM_THREADS": threads,
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        STEP_DIR_VARIABLE: str(step),
        VISIBLE: visible_gpus(spec.gpus, os.environ),
    }


def told(variables: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    """Variables as they may be recorded: of secrets the names only."""
    return {
        name: f"[redacted:{name}]" if name in secrets else value
        for name, value in variables.items()
    }


def _checked(given: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in given.items():
        if not _NAME.fullmatch(name) or "\0" in value:
            raise StepFault(f"a step cannot be given an environment variable {name!r}")
    return given
