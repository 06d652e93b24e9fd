"""A node's environments take a limited room, by themselves and by `hansard envs`."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from infra.environments.locks import Lock, lock
from infra.environments.store import EnvironmentStore, sdk_wheel
from tests.e2e.platform import hansard_command
from tests.integration.node_box import until
from workers.environment import environment


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "envs"


@pytest.fixture
def pinned(root: Path) -> Lock:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return lock([], python=version, sdk_wheel=sdk_wheel(root), cache=root / "cache")


def document(pinned: Lock) -> Callable[[], bytes]:
    return lambda: json.dumps(asdict(pinned)).encode()


def used(root: Path, pinned: Lock, most_mb: int = 0) -> None:
    with environment(root, pinned.digest, document(pinned), lambda _: None, most_mb) as python:
        assert python.exists()


def test_a_build_makes_room_for_itself(root: Path, pinned: Lock) -> None:
    first, second = pinned, replace(pinned, variant="other")
    used(root, first)
    size = EnvironmentStore(root, sdk_wheel(root)).listed()[0].size_bytes
    used(root, second, most_mb=(size >> 20) + 1)
    until(lambda: not (root / "built" / first.digest).exists())
    assert (root / "built" / second.digest).exists()
    used(root, first)  # what was removed is built again


def said(root: Path, *words: str) -> str:
    """What the command `hansard envs` prints."""
    command = [hansard_command(), "envs", *words, "--data-dir", str(root.parent)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_commands_list_and_prune(root: Path, pinned: Lock) -> None:
    used(root, pinned)
    (found,) = json.loads(said(root, "ls", "--json"))["items"]
    assert (found["digest"], found["variant"]) == (pinned.digest, "cpu")
    assert pinned.digest[:12] in said(root, "ls")
    assert json.loads(said(root, "prune", "--keep-mb", "1000", "--json")) == {"removed": []}
    assert json.loads(said(root, "prune", "--json")) == {"removed": [pinned.digest]}
