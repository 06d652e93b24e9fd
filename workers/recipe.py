"""Facts of a node and an attempt that may change what a step computes."""

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from infra.environments.variants import CPU, variant_of
from workers.environment import suiting
from workers.launch_spec import LaunchSpec


@cache
def node_facts() -> dict[str, Any]:
    """Facts of this machine."""
    system = os.uname()
    return {
        "cpu": _cpu_model(),
        "cpu_count": len(os.sched_getaffinity(0)),
        "machine": system.machine,
        "kernel": f"{system.sysname} {system.release}",
        "python": ".".join(str(part) for part in sys.version_info[:3]),
    }


@cache
def accelerator_facts() -> list[dict[str, Any]]:
    """The GPUs of this machine."""
    # A launcher whose step gets none does not wait for it.
    from infra.accelerators import accelerators  # noqa: PLC0415

    return [asdict(found) for found in accelerators()]


def variant_here(spec: LaunchSpec, lock: Callable[[], bytes]) -> str:
    """The accelerator variant of the attempt's environment on this node.

    A step that gets no GPU has no use for builds that need one. Raises StepFault.
    """
    if not spec.gpus:
        return CPU
    return str(suiting(lock(), variant_of(accelerator_facts()))["variant"])


def recipe_facts(spec: LaunchSpec) -> dict[str, Any]:
    """Facts of an attempt, known before anything is fetched."""
    return {
        **node_facts(),
        "lock": spec.lock,
        "executor": spec.executor["bundle"],
        "slots": {name: slot["bundle"] for name, slot in spec.slots.items()},
        "seed": spec.seed,
        "threads": spec.threads,
        "cpus": spec.cpus,
        "gpus": spec.gpus,
        "accelerators": accelerator_facts() if spec.gpus else [],
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return os.uname().machine
