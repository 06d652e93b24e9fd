"""The GPUs that were granted to a step, as the only ones in its box (NVIDIA, Linux)."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
_DRIVER = Path("/proc/driver/nvidia/gpus")
_SHARED = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset")
_ABOUT = ("/sys/bus/pci", "/sys/devices", "/sys/module/nvidia", "/sys/class/drm")
"""What libraries ask for how GPUs are connected."""
_FACT = re.compile(r"^(GPU UUID|Device Minor):\s*(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU of this node: its identity, and the device file it has."""

    uuid: str
    device: str


def gpu_arguments(count: int, variables: Mapping[str, str]) -> list[str]:
    """Arguments for bubblewrap that bind the granted GPUs; none for a step without."""
    if count == 0:
        return []
    files = [*_SHARED, *(gpu.device for gpu in granted(variables.get(VISIBLE), known()))]
    devices = [word for file in files for word in ("--dev-bind-try", file, file)]
    return devices + [word for path in _ABOUT for word in ("--ro-bind-try", path, path)]


def visible_gpus(count: int, variables: Mapping[str, str]) -> str:
    """What CUDA is to see of the GPUs that a backend named in the variables.

    By identity where it is known: in a box, where there are fewer of them, they have other numbers.
    """
    if count == 0:
        return ""
    named = variables.get(VISIBLE)
    gpus = granted(named, known())
    return ",".join(gpu.uuid for gpu in gpus) or named or ""


def granted(visible: str | None, gpus: list[Gpu]) -> list[Gpu]:
    """Those that a backend named, by number or identity; all of them where it named none."""
    if visible is None:
        return gpus
    names = [name.strip() for name in visible.split(",")]
    return [gpu for number, gpu in enumerate(gpus) if {str(number), gpu.uuid} & set(names)]


def known(driver: Path = _DRIVER) -> list[Gpu]:
    """The GPUs of this node in the order of the bus, which is how the driver numbers them."""
    if not driver.is_dir():
        return []
    found = []
    for name in sorted(os.listdir(driver)):
        facts = dict(_FACT.findall((driver / name / "information").read_text()))
        if facts.keys() >= {"GPU UUID", "Device Minor"}:
            found.append(Gpu(facts["GPU UUID"], f"/dev/nvidia{facts['Device Minor']}"))
    return found
