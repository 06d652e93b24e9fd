"""Collects the files of the models a step was to keep, and hands them to the platform."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hansard.formats.archive import check_names
from hansard.formats.problems import BundleError
from hansard.runner import OUTPUTS_NAME
from workers.faults import StepFault
from workers.launch_spec import LaunchSpec

MAX_FILES = 10_000
MAX_BYTES = 256 * 1024**3


class OutputRefused(StepFault):
    """The step left outputs that are not accepted; says which and why."""


class Store(Protocol):
    """Where files go."""

    def store(self, digest: str, path: Path) -> None:
        """Keep a file under its digest."""


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file of a kept model; ``name`` is its path within the slot's folder."""

    slot: str
    name: str
    path: Path
    digest: str
    size: int


def collect(spec: LaunchSpec, step: Path) -> list[OutputFile]:
    """The files of all kept models. Raises OutputRefused.

    Nothing of the step may be alive, or files could change after they were looked at.
    """
    kept = sorted(name for name, slot in spec.slots.items() if slot["keep"])
    root = step / OUTPUTS_NAME
    if not kept:
        return []
    found: list[OutputFile] = []
    for slot in kept:
        if root.is_symlink() or not (root / slot).is_dir() or (root / slot).is_symlink():
            raise OutputRefused(f"the model in slot `{slot}` was not saved")
        found += _files(slot, root / slot)
    if sum(file.size for file in found) > MAX_BYTES:
        raise OutputRefused(f"the outputs have more than {MAX_BYTES} bytes")
    return found


def upload(files: list[OutputFile], store: Store) -> list[dict[str, Any]]:
    """Store the files; answers them by slot, as the last status tells. Raises PlatformFault."""
    told: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        store.store(file.digest, file.path)
        entry = {"path": file.name, "digest": file.digest, "size": file.size}
        told.setdefault(file.slot, []).append(entry)
    return [{"slot": slot, "files": entries} for slot, entries in told.items()]


def _files(slot: str, folder: Path) -> list[OutputFile]:
    paths = dict(sorted(_walk(folder, "")))
    if not paths:
        raise OutputRefused(f"the model in slot `{slot}` was saved without files")
    if len(paths) > MAX_FILES:
        raise OutputRefused(f"slot `{slot}` has more than {MAX_FILES} files")
    try:
        check_names(paths)
    except BundleError as error:
        raise OutputRefused(f"output of slot `{slot}`: {error}") from None
    return [_file(slot, name, path) for name, path in paths.items()]


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


def _file(slot: str, name: str, path: Path) -> OutputFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return OutputFile(slot, name, path, digest, os.fstat(file.fileno()).st_size)


def _shown(name: str) -> str:
    return name.encode("ascii", "backslashreplace").decode()[:200]
