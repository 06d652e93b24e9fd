"""How PostgreSQL's own user reaches its binaries and its data without any folder being loosened.

Binaries it cannot read are copied into the data folder; a data folder that it cannot enter is shown
to it in a mount namespace that only the server sees.
"""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.child import Identity
from infra.embedded.data_folder import DataFolder
from infra.embedded.launch import STAGE
from infra.embedded.postgres_programs import BINARIES, copied, installed

# Free in the tables of Debian and systemd, and mapped in containers of 65,536 ids.
DEFAULT_IDENTITY = Identity(65523, 65523)


@dataclass(frozen=True, slots=True)
class Reach:
    """The paths as the server sees them, and what it takes that it sees them."""

    identity: Identity | None
    home: Path
    binaries: Path
    mounts: Sequence[tuple[Path, Path]] = ()
    closed: Path | None = None
    """The first folder that `identity` cannot enter: the reason for `mounts`."""


def reach(folder: DataFolder, home: Path, wanted: Identity | None = None) -> Reach:
    """Plan how a server reaches `home`, its writable folder within `folder`, and its binaries.

    As root the server runs as the owner of `home`; a fresh one, still root's, is given to `wanted`
    (default DEFAULT_IDENTITY). As anybody else it runs as ourselves.
    """
    if os.geteuid() != 0:
        return Reach(None, home, installed() / BINARIES)
    identity = _owner(home, wanted or DEFAULT_IDENTITY)
    programs = installed()
    if first_closed(programs / BINARIES / "postgres", identity):
        programs = copied(folder)
    closed = first_closed(home, identity)
    if closed is None:
        return Reach(identity, home, programs / BINARIES)
    shown_programs, shown_home = STAGE / "programs", STAGE / home.name
    mounts = [(programs, shown_programs), (home, shown_home)]
    return Reach(identity, shown_home, shown_programs / BINARIES, mounts, closed)


def first_closed(path: Path, identity: Identity) -> Path | None:
    """The first step from the root down to `path` that `identity` may not enter, or execute."""
    for step in (*reversed(path.parents), path):
        if not _may_enter(step.stat(), identity):
            return step
    return None


def _may_enter(status: os.stat_result, identity: Identity) -> bool:
    if status.st_uid == identity.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == identity.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _owner(home: Path, wanted: Identity) -> Identity:
    status = home.stat()
    if status.st_uid != 0:
        return Identity(status.st_uid, status.st_gid)
    os.chown(home, wanted.uid, wanted.gid)
    return wanted
