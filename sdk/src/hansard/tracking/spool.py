"""The spool: folders on this machine that hold what local runs tell, until it is delivered.

A run's folder holds `run.json`, the step folder that logging writes into, the outbox with all that
the platform is to be told, and how far it has been told. The process of the run holds its lock.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SPOOL_VARIABLE = "HANSARD_SPOOL"

_FACTS = "run.json"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a local run is; `experiment` and `project` are ids or names."""

    id: str
    name: str
    experiment: str
    project: str | None
    parameters: dict[str, Any]
    tags: dict[str, str]
    started_by: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """How far a run was delivered: where to, and up to which offset of its outbox."""

    url: str | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Spool:
    """The folder of one run."""

    path: Path

    @property
    def step(self) -> Path:
        """Where logging writes."""
        return self.path / "step"

    @property
    def outbox(self) -> Path:
        """The frames that the platform is to be told."""
        return self.path / "outbox"

    @property
    def intent(self) -> Path:
        """What was about to be moved from the step folder into the outbox."""
        return self.path / "points.json"

    def facts(self) -> Facts:
        """What the run is. Raises OSError, ValueError and TypeError for a folder that is none."""
        return Facts(**json.loads((self.path / _FACTS).read_bytes()))

    def delivered(self) -> Delivered:
        """How far it was delivered."""
        try:
            return Delivered(**json.loads((self.path / "delivered.json").read_bytes()))
        except FileNotFoundError:
            return Delivered()

    def mark(self, delivered: Delivered) -> None:
        """Remember how far it was delivered."""
        part = self.path / "delivered.part"
        part.write_text(json.dumps(asdict(delivered)))
        part.rename(self.path / "delivered.json")

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the run during the block if no process does; says whether it is held."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(descriptor)

    def remove(self) -> bool:
        """Delete it, but for what was logged as files; False if there are any and it stays."""
        if (self.step / "items").exists():
            (self.path / "delivered").touch()
            return False
        shutil.rmtree(self.path)
        return True

    @property
    def done(self) -> bool:
        """Whether all of it was delivered, and it is kept for its files alone."""
        return (self.path / "delivered").exists()


def spool_root(environment: Mapping[str, str] = os.environ) -> Path:
    """HANSARD_SPOOL, else `~/.hansard/spool`."""
    folder = environment.get(SPOOL_VARIABLE)
    return Path(folder) if folder else Path.home() / ".hansard" / "spool"


def new_spool(root: Path, facts: Facts) -> Spool:
    """A folder for a new run."""
    made = Spool(root / f".{facts.id}")
    made.step.mkdir(parents=True, mode=0o700)
    (made.path / _FACTS).write_text(json.dumps(asdict(facts)))
    made.path.rename(root / facts.id)
    return Spool(root / facts.id)


def spools(root: Path) -> list[Spool]:
    """All runs that are not completely delivered, the oldest first: ids begin with the time."""
    found = [Spool(path) for path in sorted(root.glob("run-*"))] if root.is_dir() else []
    return [spool for spool in found if not spool.done]
