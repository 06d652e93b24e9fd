"""Makes a PostgreSQL cluster: scram everywhere, one database, one owner role without super powers.

Built beside its final place and renamed when complete, so that a crash leaves no half-made one.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.child import Identity, Mounts, NamespaceRefused, failure, spawn
from infra.embedded.data_folder import DataFolder, sync_folder
from infra.embedded.reach import Reach, reach

SUPERUSER = "postgres"
OWNER = "hansard"
DATABASE = "hansard"
# Errors of the server end in its log; LC_ALL fixes their language.
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


def password(folder: DataFolder, role: str) -> str:
    """The password of a role, kept in the credentials of the data folder."""
    return folder.credential(f"postgres-{role}")


def ensure_cluster(folder: DataFolder, owner: Identity | None, lock: int) -> None:
    """Create `data` in the postgres folder, for `owner`, unless it is there. Raises StartFailed.

    `lock` is the server's lock, inherited by the programs that do it: a start after a crash of ours
    waits until they are gone.
    """
    data = folder.folder("postgres") / "data"
    if data.exists():
        return
    building = _fresh(folder)
    plan = reach(folder, building, owner)
    try:
        _build(folder, building, plan, lock)
    except NamespaceRefused:
        if plan.closed is not None:
            raise
        _build_by_stand_in(folder, plan, lock)
    (building / "data").rename(data)
    sync_folder(data.parent)
    shutil.rmtree(building)


def _fresh(folder: DataFolder) -> Path:
    building = folder.path / "postgres.new"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(mode=0o700)
    return building


def _build(folder: DataFolder, building: Path, plan: Reach, lock: int) -> None:
    account = _account_mount(building, plan.identity)
    steps = _Steps(folder.log("postgres-init"), plan, account, lock)
    _initdb(steps, building, password(folder, SUPERUSER))
    _create_database(steps, password(folder, OWNER))


def _build_by_stand_in(folder: DataFolder, plan: Reach, lock: int) -> None:
    """Build as `nobody` and hand over: initdb wants a named user, and none can be made up here.

    That is root in a container without CAP_SYS_ADMIN. The server itself needs no name.
    """
    nobody = pwd.getpwnam("nobody")
    building = _fresh(folder)
    stand_in = reach(folder, building, Identity(nobody.pw_uid, nobody.pw_gid))
    _build(folder, building, stand_in, lock)
    assert plan.identity is not None
    _give(building, plan.identity)


def _give(tree: Path, owner: Identity) -> None:
    """Change the owner of a tree by descriptors: no link that was put into it leads us astray."""
    for _, folders, files, descriptor in os.fwalk(tree):
        for name in (*folders, *files):
            os.chown(name, owner.uid, owner.gid, dir_fd=descriptor, follow_symlinks=False)


@dataclass(frozen=True, slots=True)
class _Steps:
    """Runs PostgreSQL's programs to their end, with what each of them needs."""

    log: Path
    plan: Reach
    account: Mounts
    lock: int

    def run(self, program: str, arguments: Sequence[str], text: str = "") -> None:
        process = spawn(
            [str(self.plan.binaries / program), *arguments],
            env=ENVIRONMENT,
            cwd=Path("/"),
            log=self.log,
            identity=self.plan.identity,
            mounts=[*self.plan.mounts, *self.account],
            keep=[self.lock],
            stdin=subprocess.PIPE,
        )
        process.communicate(text.encode())
        if process.returncode != 0:
            raise failure(process, self.log)


def _initdb(steps: _Steps, building: Path, secret: str) -> None:
    file = building / "superuser-password"
    _write_for(file, secret, steps.plan.identity)
    home = steps.plan.home
    options = ["--username", SUPERUSER, "--auth=scram-sha-256", "--encoding=UTF8"]
    options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    options += [f"--pwfile={home / file.name}", "-D", str(home / "data")]
    try:
        steps.run("initdb", options)
    finally:
        file.unlink()


def _create_database(steps: _Steps, secret: str) -> None:
    """In single-user mode: no port is open before the roles and their passwords stand."""
    statements = (
        f"CREATE ROLE {OWNER} LOGIN PASSWORD '{secret}';\n"
        f"CREATE DATABASE {DATABASE} OWNER {OWNER};\n"
    )
    data = str(steps.plan.home / "data")
    # A failed statement ends it, and is not written to the log with the password in it.
    options = ["-c", "exit_on_error=on", "-c", "log_min_error_statement=panic"]
    steps.run("postgres", ["--single", "-D", data, *options, SUPERUSER], statements)


def _account_mount(building: Path, identity: Identity | None) -> Mounts:
    """Initdb insists that its user has a name: give ours one, in its own view of the machine."""
    if identity is None or _has_account(identity):
        return ()
    path = building / "passwd"
    _write_for(path, f"{SUPERUSER}:x:{identity.uid}:{identity.gid}::/:/bin/false\n", identity)
    return [(path, Path("/etc/passwd"))]


def _has_account(identity: Identity) -> bool:
    try:
        pwd.getpwuid(identity.uid)
    except KeyError:
        return False
    return True


def _write_for(path: Path, text: str, identity: Identity | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w") as file:
        if identity is not None:
            os.fchown(descriptor, identity.uid, identity.gid)
        file.write(text)
