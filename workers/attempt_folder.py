"""The folder in which a node executes one attempt, and who may do what in it.

`lock` is held by the launcher while it lives; then the agent may take it. `outbox` has one writer:
whoever holds the lock. `step/` belongs to the step: nothing in it is trusted. The folder appears
whole, under its name, so that an attempt is launched at most once.
"""

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.telemetry import Source
from workers.launch_spec import LaunchSpec

HALF_MADE = ".new-"
HALF_MADE_IS_DEAD_S = 60.0
_FENCE_DIGITS = 20


class LaunchRefused(Exception):
    """The attempt must not be launched (again); nothing was started."""


@dataclass(frozen=True, slots=True)
class AttemptFolder:
    """Names within an attempt's folder."""

    path: Path

    @property
    def name(self) -> str:
        """`<run>.<attempt>`."""
        return self.path.name

    @property
    def outbox(self) -> Path:
        """Frames for the platform."""
        return self.path / "outbox"

    @property
    def step(self) -> Path:
        """The runner's folder."""
        return self.path / "step"

    @property
    def shipped(self) -> Path:
        """How far the agent has shipped the outbox."""
        return self.path / "shipped"

    @property
    def points(self) -> Path:
        """How far the metric points were moved to the outbox."""
        return self.path / "points"

    @property
    def cancel(self) -> Path:
        """Exists once somebody wants the attempt to stop."""
        return self.path / "cancel"

    def source(self) -> Source:
        """Which attempt this is."""
        return Source(**json.loads((self.path / "source.json").read_bytes()))

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the lock during the block if nobody else does; says whether it is held."""
        with _locked(self.path / "lock", fcntl.LOCK_EX | fcntl.LOCK_NB) as held:
            yield held

    def remove(self) -> None:
        """Delete it in one visible stroke."""
        doomed = self.path.with_name(f"{HALF_MADE}{self.name}.{os.getpid()}.removed")
        self.path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


@contextmanager
def claimed(spec: LaunchSpec) -> Iterator[AttemptFolder]:
    """Make the attempt's folder and hold its lock. Raises LaunchRefused, having done nothing."""
    work = Path(spec.work).resolve()  # the agent finds the step's processes by this path
    work.mkdir(parents=True, exist_ok=True)
    _pass_fence(work, spec.fence)
    final = work / f"{spec.run}.{spec.attempt}"
    made = AttemptFolder(work / f"{HALF_MADE}{final.name}.{os.getpid()}")
    shutil.rmtree(made.path, ignore_errors=True)
    made.step.mkdir(parents=True, mode=0o700)
    with made.held():
        source = Source(spec.node, spec.project, spec.experiment, spec.run, spec.attempt)
        (made.path / "source.json").write_text(json.dumps(asdict(source)))
        try:
            made.path.rename(final)
        except OSError as error:
            shutil.rmtree(made.path)
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            raise LaunchRefused(f"{final.name} was launched before") from None
        yield AttemptFolder(final)


def attempt_folders(work: Path) -> list[AttemptFolder]:
    """The attempts on this node that are not completely shipped."""
    if not work.is_dir():
        return []
    with os.scandir(work) as entries:
        return [
            AttemptFolder(Path(entry.path))
            for entry in entries
            if entry.is_dir() and not entry.name.startswith(".")
        ]


def sweep(work: Path) -> None:
    """Delete what launchers and agents killed half-way have left."""
    for path in work.glob(f"{HALF_MADE}*"):
        with suppress(FileNotFoundError):  # somebody else is deleting it just now
            if time.time() - path.stat().st_mtime > HALF_MADE_IS_DEAD_S:
                with AttemptFolder(path).held() as dead:
                    if dead:
                        shutil.rmtree(path, ignore_errors=True)


def _pass_fence(work: Path, fence: int) -> None:
    """Remember the highest fence seen; refuse a dispatcher that was replaced by a later one."""
    with _locked(work / "fence", fcntl.LOCK_EX), (work / "fence").open("r+b") as file:
        highest = int(file.read() or 0)
        if fence < highest:
            raise LaunchRefused(f"fence {fence} is below {highest}: the dispatcher was replaced")
        if fence > highest:
            os.pwrite(file.fileno(), b"%0*d" % (_FENCE_DIGITS, fence), 0)


@contextmanager
def _locked(path: Path, how: int) -> Iterator[bool]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, how)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
