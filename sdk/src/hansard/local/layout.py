"""Lays out the folder of a local run as a node lays out that of a step."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hansard.formats.bundle import unpack
from hansard.local.parts import LocalPart
from hansard.local.secrets import named_secrets
from hansard.step_file import STEP_NAME

RUNS_FOLDER = Path("hansard-runs")

_BUNDLES = "bundles"
_WEIGHTS = "weights"


@dataclass(frozen=True, slots=True)
class LocalStep:
    """What to run: parts by slot, values for constructors and methods, and whose model is kept."""

    executor: LocalPart
    slots: Mapping[str, LocalPart]
    parameters: Mapping[str, Any]
    slot_parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    slot_methods: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    keep: Sequence[str] = ()
    seed: int | None = None
    workers: int = 1

    @property
    def secrets(self) -> dict[str, str]:
        """Names of secrets by the places in parameters that name them."""
        found = dict(named_secrets(self.parameters, "/parameters"))
        for slot, given in self.slot_parameters.items():
            found |= named_secrets(given, f"/slots/{slot}/parameters")
        return found

    @property
    def requirements(self) -> list[str]:
        """Of all parts, each once."""
        parts = [self.executor, *self.slots.values()]
        return sorted({line for part in parts for line in part.contents.manifest.requirements})


def new_folder(name: str, root: Path = RUNS_FOLDER) -> Path:
    """An empty folder of its own for a run of this name: `train`, `train-2`, `train-3`."""
    stem = "".join(c if c.isalnum() or c in "._-" else "-" for c in name).strip(".-") or "run"
    root.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = root / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
        else:
            return folder


def lay_out(step: LocalStep, folder: Path) -> int:
    """Write bundles, weights and `step.json` into the folder; answers the seed."""
    seed = random.randrange(2**31) if step.seed is None else step.seed  # noqa: S311 - no secret
    document = {
        "seed": seed,
        "secrets": list(step.secrets),
        "workers": step.workers,
        "executor": _part(step.executor, step.parameters, folder),
        "slots": {
            name: {
                **_part(part, step.slot_parameters.get(name, {}), folder),
                "weights": _weights(name, part, folder),
                "keep": name in step.keep,
                "methods": step.slot_methods.get(name, {}),
            }
            for name, part in step.slots.items()
        },
        "datasets": {},
    }
    (folder / "tmp").mkdir()
    (folder / STEP_NAME).write_text(json.dumps(document, indent=2))
    return seed


def _part(part: LocalPart, parameters: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    path = f"{_BUNDLES}/{part.digest}"
    if not (folder / path).exists():
        unpack(part.contents, folder / path)
    entry = part.contents.manifest.entry
    return {"path": path, "entry": entry, "parameters": dict(parameters)}


def _weights(slot: str, part: LocalPart, folder: Path) -> str | None:
    if part.place_weights is None:
        return None
    place = f"{_WEIGHTS}/{slot}"
    part.place_weights(folder / place)
    return place
