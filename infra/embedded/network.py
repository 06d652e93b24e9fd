"""A network namespace of its own for a service, and where others find it to join it (Linux)."""

import subprocess
from contextlib import suppress
from pathlib import Path

from infra.embedded.child import trampoline
from infra.embedded.supervisor_mark import lives, supervisor_mark

OWN = "own"


def can_be_own() -> bool:
    """Whether this user may give a process a network namespace of its own here."""
    probe = trampoline(["/bin/true"], network=OWN)
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def note(path: Path, pid: int) -> None:
    """Tell others that process `pid` has a network of its own."""
    part = path.with_suffix(".part")
    part.write_text(supervisor_mark(pid))
    part.rename(path)


def noted(path: Path) -> str:
    """The process in whose network to be, "" while none that was noted lives."""
    with suppress(FileNotFoundError):
        mark = path.read_text()
        if lives(mark):
            return mark.partition(":")[0]
    return ""
