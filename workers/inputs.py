"""Lays out a step's folder: unpacked bundles, weights and `step.json` for the runner."""

import json
from pathlib import Path
from typing import Any

from hansard.formats.archive import check_names, decode
from hansard.formats.problems import BundleError
from hansard.step_file import STEP_NAME
from workers.faults import StepFault
from workers.file_cache import FileCache
from workers.launch_spec import LaunchSpec

BUNDLES = "bundles"
WEIGHTS = "weights"


def lay_out(spec: LaunchSpec, step: Path, files: FileCache) -> None:
    """Fetch all that a step needs into its folder.

    Raises StepFault for a bundle or names that are not safe, PlatformFault if fetching fails.
    """
    try:
        document = _document(spec, step, files)
    except BundleError as error:
        raise StepFault(f"an input is not accepted: {error}") from None
    (step / "tmp").mkdir()
    (step / STEP_NAME).write_text(json.dumps(document))


def _document(spec: LaunchSpec, step: Path, files: FileCache) -> dict[str, Any]:
    return {
        "seed": spec.seed,
        "executor": _part(spec.executor, step, files),
        "slots": {
            name: {
                **_part(slot, step, files),
                "weights": _weights(name, slot["weights"], step, files),
                "keep": slot["keep"],
            }
            for name, slot in spec.slots.items()
        },
    }


def _part(part: dict[str, Any], step: Path, files: FileCache) -> dict[str, Any]:
    path = f"{BUNDLES}/{part['bundle']}"
    if not (step / path).exists():
        _unpack(files.read(part["bundle"]), step / path)
    return {"path": path, "entry": part["entry"], "parameters": part["parameters"]}


def _unpack(data: bytes, folder: Path) -> None:
    """The platform read the sources at upload; here only what could harm the node is checked."""
    for name, content in decode(data).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _weights(
    slot: str, artifacts: list[dict[str, Any]], step: Path, files: FileCache
) -> str | None:
    if not artifacts:
        return None
    check_names([slot, *(artifact["path"] for artifact in artifacts)])
    for artifact in artifacts:
        path = step / WEIGHTS / slot / artifact["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        files.copy(artifact["digest"], path)
    return f"{WEIGHTS}/{slot}"
