"""Bundles are tested as they are: their tests see the modules of all the examples."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks, and cores that others use too
sys.path[:0] = sorted(str(project.parent) for project in ROOT.glob("*/*/pyproject.toml"))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Modules of bundles are imported by their tests alone: torch takes its time."""
    is_module = collection_path.suffix == ".py" and not collection_path.name.startswith("test_")
    return True if is_module else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What an executor logs outside of a run is dropped with a warning, which is no news here."""
    for item in items:
        if item.path.is_relative_to(ROOT):
            warning = "ignore:not inside a Hansard run:RuntimeWarning"
            item.add_marker(pytest.mark.filterwarnings(warning))
