"""DVC without version control and with a remote on the same disk: its fastest kind of remote."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.peers.child import Child, running_child
from bench.peers.environment import peers_variables
from bench.peers.machine_floor import bytes_of

COPIES = ""
"""DVC's default: a file in the workspace is a reflink of the cache's or, failing that, a copy."""

HARD_LINKS = "hardlink"
"""A file in the workspace is the cache's own, read-only: one copy less, and not one to write to."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """A file that was added and pushed, and the seconds of both."""

    name: str
    add_s: float
    push_s: float

    @property
    def seconds(self) -> float:
        """Both together."""
        return self.add_s + self.push_s


@dataclass(frozen=True, slots=True)
class Dvc:
    """A repository, its remote, and a process of DVC in which the repository stays open."""

    folder: Path
    """The workspace: what is added must lie in it."""
    remote: Path
    links: str
    child: Child

    def upload(self, path: Path) -> Pushed:
        """Copy a file into the workspace, written to disk and not timed; then add and push it."""
        placed = self.folder / path.name
        shutil.copyfile(path, placed)
        os.sync()
        return Pushed(path.name, self.add(placed), self.push(placed))

    def add(self, path: Path) -> float:
        """Seconds of `dvc add` of a file or folder of the workspace."""
        return float(self.child.ask("add", folder=str(self.folder), path=str(path)))

    def push(self, path: Path) -> float:
        """Seconds of `dvc push` of what was added under this path."""
        return float(self.child.ask("push", folder=str(self.folder), target=f"{path}.dvc"))

    def pull(self, pushed: Pushed, folder: Path) -> float:
        """Seconds of `dvc pull` into a new repository in this folder: nothing is cached there."""
        self.child.ask("create", folder=str(folder), remote=str(self.remote), links=self.links)
        shutil.copy(self.folder / f"{pushed.name}.dvc", folder)
        os.sync()
        target = str(folder / f"{pushed.name}.dvc")
        seconds = float(self.child.ask("pull", folder=str(folder), target=target))
        self.child.ask("close", folder=str(folder))
        return seconds

    def disk_remote_bytes(self) -> int:
        """All files of the remote."""
        return bytes_of(self.remote)

    def disk_cache_bytes(self) -> int:
        """All files of the repository's cache; the workspace is not in it."""
        return bytes_of(self.folder / ".dvc" / "cache")


@contextmanager
def running_dvc(folder: Path, python: Path, links: str = COPIES) -> Iterator[Dvc]:
    """An empty repository and its remote in a folder, until the end of the block.

    `python` is that of `peers_python`, `links` one of the names above.
    """
    folder.mkdir(parents=True, exist_ok=True)
    workspace, remote = folder / "workspace", folder / "remote"
    with running_child(python, "dvc_commands", folder, peers_variables(folder)) as child:
        child.ask("create", folder=str(workspace), remote=str(remote), links=links)
        yield Dvc(workspace, remote, links, child)
