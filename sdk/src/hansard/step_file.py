"""Reads ``step.json``, by which the launcher tells the runner what to run."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hansard.errors import StepError
from hansard.secret import put_secret, receive_secrets

STEP_NAME = "step.json"


@dataclass(frozen=True, slots=True)
class Part:
    """A class of an unpacked bundle and the values of its forms; paths are relative to the step.

    `methods` has by method what it takes beyond what a role gives it.
    """

    path: Path
    entry: str
    parameters: dict[str, Any]
    weights: Path | None = None
    keep: bool = False
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dataset:
    """The folder with the files of a version of a dataset."""

    path: Path
    version: str


@dataclass(frozen=True, slots=True)
class Step:
    """One execution: an executor, what fills its slots by place, and the datasets it may read.

    Each of its workers executes it.
    """

    seed: int
    executor: Part
    slots: dict[str, Part]
    datasets: dict[str, Dataset]
    workers: int = 1


def read_step(folder: Path) -> Step:
    """The step, with its secrets from standard input.

    Raises StepError if the file is missing or not what the launcher should have written.
    """
    with _valid():
        document = json.loads((folder / STEP_NAME).read_bytes())
        _take_secrets(document)
        slots = {name: _part(folder, fields) for name, fields in document["slots"].items()}
        executor, workers = _part(folder, document["executor"]), int(document.get("workers", 1))
        datasets = _datasets(folder, document)
        return Step(int(document["seed"]), executor, slots, datasets, workers)


def read_datasets(folder: Path) -> dict[str, Dataset]:
    """The datasets of a step, for its own code: secrets can be read only once. Raises StepError."""
    with _valid():
        return _datasets(folder, json.loads((folder / STEP_NAME).read_bytes()))


@contextmanager
def _valid() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StepError(f"{STEP_NAME} is not valid: {type(error).__name__}: {error}") from error


def _datasets(folder: Path, document: Mapping[str, Any]) -> dict[str, Dataset]:
    return {
        name: Dataset(folder / fields["path"], str(fields["version"]))
        for name, fields in document.get("datasets", {}).items()
    }


def _take_secrets(document: dict[str, Any]) -> None:
    """Put each secret where parameters name it; the file itself holds none."""
    places = document.get("secrets", [])
    if not places:
        return
    parts = {"parameters": document["executor"]["parameters"], "slots": document["slots"]}
    for place, secret in zip(places, receive_secrets(), strict=True):
        put_secret(parts, place, secret)


def _part(folder: Path, fields: Mapping[str, Any]) -> Part:
    weights = fields.get("weights")
    return Part(
        path=folder / fields["path"],
        entry=fields["entry"],
        parameters=dict(fields["parameters"]),
        weights=folder / weights if weights else None,
        keep=bool(fields.get("keep", False)),
        methods={name: dict(values) for name, values in fields.get("methods", {}).items()},
    )
