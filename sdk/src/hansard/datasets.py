"""Datasets in step code: the files of the versions that a run was given, by their names.

Each is a folder of files that are not to be written to. That it was read is noted for the record.
Outside a run HANSARD_DATASETS names a folder that holds a folder for each dataset: the same code
works in a notebook.
"""

import importlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hansard.errors import StepError
from hansard.run_log import STEP_DIR_VARIABLE, note
from hansard.step_file import Dataset, read_datasets

if TYPE_CHECKING:
    from hansard.sources import Source

DATASETS_VARIABLE = "HANSARD_DATASETS"
REFERENCE_NAME = "reference.json"

_NAMED = 5
_FROM_DOCUMENT = ("query", "order_by")

_noted: set[tuple[Path, str]] = set()


def dataset(name: str) -> Path:
    """The folder with the files of a dataset. Raises StepError, naming the datasets there are."""
    folder = _step_folder()
    if folder is None:
        return _local(name)
    found = _given(folder, name)
    if (folder, name) not in _noted:
        note({"kind": "read", "dataset": name, "version": found.version})
        _noted.add((folder, name))
    return found.path


def dataset_paths(name: str) -> list[Path]:
    """All files of a dataset, ordered by path. Raises StepError as `dataset`."""
    return sorted(path for path in dataset(name).rglob("*") if path.is_file())


def open_reference(name: str, **options: Any) -> "Source":
    """The source that a dataset of mode `reference` refers to, if it still has the same content.

    ``options`` are those of `hansard.sources.open_source`, such as credentials. What was found is
    noted for the record. Raises StepError for a dataset that refers to nothing, SourceChanged when
    the source has moved, and other SourceErrors. Close the source, or use it in `with`.
    """
    path = dataset(name) / REFERENCE_NAME
    try:
        document = json.loads(path.read_bytes())
        address = str(document["address"])
    except (OSError, ValueError, KeyError, TypeError):
        raise StepError(f"dataset `{name}` refers to no source: read its files") from None
    sources = importlib.import_module("hansard.sources")
    asked = {key: document[key] for key in _FROM_DOCUMENT if document.get(key)}
    source: Source = sources.open_source(address, **(asked | options))
    try:
        sources.check_reference(document, source)
        _note_fingerprint(name, source.fingerprint())
    except BaseException:
        source.close()
        raise
    return source


def _note_fingerprint(name: str, fingerprint: Mapping[str, Any]) -> None:
    folder = _step_folder()
    if folder is not None:
        found = _given(folder, name)
        # Without the names of its files: their digest is there, and there may be very many.
        short = {key: value for key, value in fingerprint.items() if key != "entries"}
        note({"kind": "read", "dataset": name, "version": found.version, "fingerprint": short})


def _step_folder() -> Path | None:
    folder = os.environ.get(STEP_DIR_VARIABLE)
    return Path(folder) if folder else None


def _given(folder: Path, name: str) -> Dataset:
    datasets = read_datasets(folder)
    if name not in datasets:
        known = ", ".join(f"`{each}`" for each in list(datasets)[:_NAMED]) or "none"
        raise StepError(f"this run was given no dataset `{name}`; there are: {known}")
    return datasets[name]


def _local(name: str) -> Path:
    root = os.environ.get(DATASETS_VARIABLE)
    if not root:
        raise StepError(
            f"not inside a Hansard run: set {DATASETS_VARIABLE} to a folder with a folder `{name}`"
        )
    folder = Path(root) / name
    if not folder.is_dir():
        raise StepError(f"there is no folder `{folder}` ({DATASETS_VARIABLE} is `{root}`)")
    return folder
