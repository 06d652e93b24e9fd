"""Start, await and stop a server process that ends with its parent, even on SIGKILL (Linux).

The death signal fires when the *thread* that called `spawn` ends: call it from a thread that lives
as long as the process should, normally the main thread.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.embedded.launch import NAMESPACE_REFUSED, Spec

Mounts = Sequence[tuple[Path, Path]]
StopSignals = Sequence[tuple[signal.Signals, float]]

_LAUNCH = Path(__file__).with_name("launch.py")
_LOG_TAIL_BYTES = 2000
_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Identity:
    """The user and group a child runs as; changing to it needs root."""

    uid: int
    gid: int


class StartFailed(Exception):
    """A server ended, or stayed silent, instead of becoming ready; carries the end of its log."""


class NamespaceRefused(StartFailed):
    """The kernel refused a private namespace (no CAP_SYS_ADMIN, as in most containers)."""


def trampoline(
    argv: Sequence[str],
    *,
    identity: Identity | None = None,
    death_signal: int = 0,
    mounts: Mounts = (),
    network: str = "",
) -> list[str]:
    """The command that becomes `argv` (an absolute path first) where and as what `Spec` says.

    It ends with NAMESPACE_REFUSED if it cannot.
    """
    spec = Spec(
        argv=list(argv),
        parent=os.getpid(),
        death_signal=death_signal,
        uid=identity.uid if identity else None,
        gid=identity.gid if identity else None,
        mounts=[(str(source), str(target)) for source, target in mounts],
        network=network,
    )
    return [sys.executable, "-I", "-S", str(_LAUNCH), json.dumps(spec)]


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    identity: Identity | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    mounts: Mounts = (),
    network: str = "",
    keep: Sequence[int] = (),
    stdin: int | None = subprocess.DEVNULL,
) -> "subprocess.Popen[bytes]":
    """Start `argv` (an absolute path first) in its own session, its output appended to `log`.

    `mounts` (source, target) are seen by the child alone; `network` is as in `Spec`; `keep` are
    descriptors it inherits, such as a lock that must be held until the child and all its children
    are gone. `death_signal` comes when the calling thread ends.
    """
    command = trampoline(
        argv, identity=identity, death_signal=death_signal, mounts=mounts, network=network
    )
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            command,
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=tuple(keep),
        )
    finally:
        os.close(output)


def await_ready(
    process: "subprocess.Popen[bytes]", ready: Callable[[], bool], *, log: Path, timeout_s: float
) -> None:
    """Return once `ready()`; raise StartFailed if the process ends or `timeout_s` pass."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None:
            raise failure(process, log)
        if time.monotonic() > deadline:
            raise StartFailed(f"not ready after {timeout_s:.0f} s: {tail(log)}")
        time.sleep(_POLL_S)


def failure(process: "subprocess.Popen[bytes]", log: Path) -> StartFailed:
    """The error that says how an ended `process` ended."""
    kind = NamespaceRefused if process.returncode == NAMESPACE_REFUSED else StartFailed
    return kind(f"ended with status {process.returncode}: {tail(log)}")


def tail(log: Path) -> str:
    """The end of a log file, for an error message; empty if there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
        return file.read().decode(errors="replace").strip()


def stop(process: "subprocess.Popen[bytes]", signals: StopSignals) -> None:
    """Send each signal in turn, waiting its seconds for the end; SIGKILL when all were in vain."""
    for number, seconds in signals:
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
    if process.poll() is None:
        process.kill()
        process.wait()
