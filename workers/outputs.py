"""Collects the files of the models a step was to keep, and hands them to the platform."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from hansard.formats.problems import BundleError
from hansard.runner import OUTPUTS_NAME
from workers.faults import StepFault
from workers.launch_spec import LaunchSpec

if TYPE_CHECKING:
    from workers.artifact_client import ArtifactKeeper

MAX_FILES = 10_000
MAX_BYTES = 256 * 1024**3

Outputs: TypeAlias = dict[str, dict[str, Path]]
"""Files by slot, and by their path within the slot's folder."""


class OutputRefused(StepFault):
    """The step left outputs that are not accepted; says which and why."""


def collect(spec: LaunchSpec, step: Path) -> Outputs:
    """The files of all kept models. Raises OutputRefused.

    Nothing of the step may be alive, or files could change after they were looked at.
    """
    kept = sorted(name for name, slot in spec.slots.items() if slot["keep"])
    root = step / OUTPUTS_NAME
    found: Outputs = {}
    for slot in kept:
        if root.is_symlink() or not (root / slot).is_dir() or (root / slot).is_symlink():
            raise OutputRefused(f"the model in slot `{slot}` was not saved")
        found[slot] = _files(slot, root / slot)
    size = sum(path.stat().st_size for files in found.values() for path in files.values())
    if size > MAX_BYTES:
        raise OutputRefused(f"the outputs have more than {MAX_BYTES} bytes")
    return found


def upload(outputs: Outputs, store: "ArtifactKeeper", spec: LaunchSpec) -> list[dict[str, Any]]:
    """Keep one artifact for each slot; answers them as the last status tells.

    Raises OutputRefused for files that the platform does not keep, PlatformFault.
    """
    like = [content["artifact"] for content in spec.contents]
    return [_keep(slot, files, store, like) for slot, files in outputs.items()]


def _keep(
    slot: str, files: Mapping[str, Path], store: "ArtifactKeeper", like: list[str]
) -> dict[str, Any]:
    try:
        kept = store.keep(files, like)
    except (BundleError, StepFault) as error:
        raise OutputRefused(f"output of slot `{slot}`: {error}") from None
    content = {"root": kept.root, "size": kept.size, "files": kept.files, "format": kept.format}
    return {"slot": slot, "artifact": kept.id, "content": content}


def _files(slot: str, folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name, path in _walk(folder, ""):
        found[name] = path
        if len(found) > MAX_FILES:
            raise OutputRefused(f"slot `{slot}` has more than {MAX_FILES} files")
    if not found:
        raise OutputRefused(f"the model in slot `{slot}` was saved without files")
    return found


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name, mode = prefix + entry.name, entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                yield from _walk(Path(entry.path), f"{name}/")
            elif stat.S_ISREG(mode):
                yield name, Path(entry.path)
            else:
                raise OutputRefused(f"output `{_shown(name)}` is a link or no plain file")


def _shown(name: str) -> str:
    return name.encode("ascii", "backslashreplace").decode()[:200]
