"""Lays out a step's folder: unpacked bundles, weights, datasets and `step.json` for the runner."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hansard.formats.archive import check_names, decode
from hansard.formats.problems import BundleError
from hansard.step_file import STEP_NAME
from workers.faults import StepFault
from workers.file_cache import FileCache
from workers.launch_spec import LaunchSpec

if TYPE_CHECKING:
    from workers.artifact_client import ArtifactPlacer

BUNDLES = "bundles"
WEIGHTS = "weights"
DATA = "data"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where inputs come from. ``artifacts`` is asked for when needed: it costs start-up time."""

    files: FileCache
    artifacts: "Callable[[], ArtifactPlacer]"


def lay_out(spec: LaunchSpec, step: Path, origin: Origin) -> None:
    """Fetch all that a step needs into its folder.

    Raises StepFault for a bundle or names that are not safe, PlatformFault if fetching fails.
    """
    try:
        document = _document(spec, step, origin)
    except BundleError as error:
        raise StepFault(f"an input is not accepted: {error}") from None
    (step / "tmp").mkdir()
    (step / STEP_NAME).write_text(json.dumps(document))


def _document(spec: LaunchSpec, step: Path, origin: Origin) -> dict[str, Any]:
    return {
        "seed": spec.seed,
        "secrets": list(spec.secret_parameters),
        "workers": spec.workers,
        "executor": _part(spec.executor, step, origin),
        "slots": {
            name: {
                **_part(slot, step, origin),
                "weights": _weights(name, slot, step, origin),
                "keep": slot["keep"],
                "methods": slot.get("methods", {}),
            }
            for name, slot in spec.slots.items()
        },
        "datasets": {
            name: _dataset(name, dataset, step, origin) for name, dataset in spec.datasets.items()
        },
    }


def _part(part: Mapping[str, Any], step: Path, origin: Origin) -> dict[str, Any]:
    path = f"{BUNDLES}/{part['bundle']}"
    if not (step / path).exists():
        for digest in (*part.get("layers", ()), part["bundle"]):
            _unpack(origin.files.read(digest), step / path)
    return {"path": path, "entry": part["entry"], "parameters": part["parameters"]}


def _unpack(data: bytes, folder: Path) -> None:
    """The platform read the sources at upload; here only what could harm the node is checked."""
    for name, content in decode(data).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _weights(slot: str, held: Mapping[str, Any], step: Path, origin: Origin) -> str | None:
    """The folder with what the slot's version holds: an artifact, or files of before there were."""
    place = f"{WEIGHTS}/{slot}"
    if held["content"] is not None:
        check_names([slot])
        origin.artifacts().place(held["content"], step / place)
    elif held["weights"]:
        check_names([slot, *(file["path"] for file in held["weights"])])
        for file in held["weights"]:
            path = step / place / file["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            origin.files.copy(file["digest"], path)
    else:
        return None
    return place


def _dataset(name: str, dataset: Mapping[str, Any], step: Path, origin: Origin) -> dict[str, Any]:
    if dataset["content"] is None:
        raise StepFault(f"dataset `{name}` holds nothing that could be read")
    check_names([name])
    place = f"{DATA}/{name}"
    origin.artifacts().place(dataset["content"], step / place)
    return {"path": place, "version": dataset["version"], "mode": dataset["mode"]}
