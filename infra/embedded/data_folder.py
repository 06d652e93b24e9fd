"""The folder that holds all of an embedded platform: layout, lock, ports, credentials."""

import fcntl
import json
import os
import random
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import structlog

_log = structlog.get_logger(__name__)

_SUBFOLDERS = ("nats", "postgres", "files", "work", "envs", "logs", "credentials", "locks")
# Below the kernel's range for outgoing connections, so that no client socket ever sits on ours.
_PORTS = range(15_000, 30_000)
_PORT_ATTEMPTS = 200
_LOCK_POLL_S = 0.02


class AlreadyRunning(Exception):
    """Another live process holds this data folder."""

    def __init__(self, pid: int, path: Path) -> None:
        super().__init__(f"hansard already runs on {path} (process {pid})")
        self.pid = pid
        self.path = path


class DataFolder:
    """Created on first use with mode 0700; created by root, 0711, for a database with its own uid.

    Everything inside is 0700 or 0600. A folder that exists keeps the mode it has.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        mode = 0o711 if os.geteuid() == 0 else 0o700
        _make_folder(self.path, mode)
        for name in _SUBFOLDERS:
            _make_folder(self.path / name, 0o700)
        self._lock: int | None = None

    def folder(self, name: str) -> Path:
        """The subfolder `name` of the layout."""
        assert name in _SUBFOLDERS
        return self.path / name

    def log(self, name: str) -> Path:
        """The log file of the process `name`."""
        return self.path / "logs" / f"{name}.log"

    def __enter__(self) -> Self:
        """Take the single-instance lock. Raises AlreadyRunning."""
        path = self.path / "lock"
        descriptor = _open_private(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = int(os.read(descriptor, 32) or b"0")
            os.close(descriptor)
            raise AlreadyRunning(pid, self.path) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._lock = descriptor
        return self

    def __exit__(self, *_: object) -> None:
        assert self._lock is not None
        os.close(self._lock)
        self._lock = None

    @contextmanager
    def server_lock(self, name: str, patience_s: float = 3.0) -> Iterator[int]:
        """A descriptor for server `name` to inherit: locked until that server and its children end.

        A predecessor still going down is awaited, then killed: a PostgreSQL session whose server
        was killed works on until its query is done. Needs the folder's own lock. Raises
        TimeoutError.
        """
        assert self._lock is not None, "the data folder belongs to somebody else"
        descriptor = _open_private(self.path / "locks" / name)
        try:
            if not _flock_within(descriptor, patience_s):
                _kill_holders(descriptor, name)
                if not _flock_within(descriptor, patience_s):
                    raise TimeoutError(f"an earlier {name} server cannot be ended")
            yield descriptor
        finally:
            os.close(descriptor)

    def port(self, name: str) -> int:
        """The loopback port of server `name`, chosen once and remembered.

        Ask while the server is down: a port that somebody else has taken meanwhile is replaced.
        """
        path = self.path / "ports.json"
        ports: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        remembered = ports.get(name)
        if remembered is not None and _is_free(remembered):
            return remembered
        ports[name] = _free_port(taken=set(ports.values()))
        _write_durably(path, json.dumps(ports))
        if remembered is not None:
            _log.warning("port_replaced", server=name, old_port=remembered, port=ports[name])
        return ports[name]

    def replace_credential(self, name: str, secret: str) -> None:
        """Keep a secret that somebody else has made."""
        path = self.path / "credentials" / name
        path.unlink(missing_ok=True)
        create_durably(path, secret)

    def credential(self, name: str) -> str:
        """The random secret `name`, made on first use and kept with mode 0600."""
        path = self.path / "credentials" / name
        if not path.exists():
            create_durably(path, secrets.token_urlsafe(32))
        return path.read_text()


def _make_folder(path: Path, mode: int) -> None:
    if path.is_dir():
        return
    path.mkdir(mode=0o700, parents=True)
    path.chmod(mode)  # the umask may have taken bits of the mode away


def _open_private(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _flock_within(descriptor: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_LOCK_POLL_S)
    return False


def _kill_holders(descriptor: int, name: str) -> None:
    """Kill every other process that has the file of `descriptor` open."""
    wanted = os.fstat(descriptor)
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        if pid != os.getpid() and _has_open(process, wanted):
            _log.warning("server_remnant_killed", server=name, pid=pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _has_open(process: Path, wanted: os.stat_result) -> bool:
    with suppress(OSError):  # ended meanwhile, or somebody else's
        return any(_is_same(file, wanted) for file in (process / "fd").iterdir())
    return False


def _is_same(file: Path, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(file.stat(), wanted)
    except OSError:  # closed meanwhile, or not a file that has a status
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port(taken: set[int]) -> int:
    # Not a secret: random only so that several data folders rarely try the same one.
    for port in random.sample(_PORTS, _PORT_ATTEMPTS):
        if port not in taken and _is_free(port):
            return port
    raise OSError(f"no free loopback port in {_PORTS.start}-{_PORTS.stop - 1}")


def _write_durably(path: Path, text: str) -> None:
    """Replace `path` as a whole, so that a crash leaves the old or the new text."""
    new = _private_sibling(path, text)
    new.replace(path)
    sync_folder(path.parent)


def create_durably(path: Path, text: str) -> None:
    """Create `path` with `text`, or leave the one that another process created first."""
    new = _private_sibling(path, text)
    with suppress(FileExistsError):
        path.hardlink_to(new)
    new.unlink()
    sync_folder(path.parent)


def _private_sibling(path: Path, text: str) -> Path:
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    return new


def sync_folder(path: Path) -> None:
    """Make the names in a folder survive power loss."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
