"""Trampoline between `spawn` and a server: namespaces, change of uid, death signal, then exec.

Run as a plain script (`python -I -S launch.py SPEC`), standard library only: nothing of Python runs
between fork and exec of a possibly threaded parent.
"""

import ctypes
import fcntl
import json
import os
import socket
import struct
import sys
from pathlib import Path
from typing import TypedDict

# Exit status by which the kernel's refusal of a namespace reaches the parent.
NAMESPACE_REFUSED = 125

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MS_NOSUID, _MS_NODEV = 0x2, 0x4
_PR_SET_PDEATHSIG = 1
_PARENT_DIED = 124
# Hidden from the child alone, so any folder that every machine has will do.
STAGE = Path("/mnt")

_libc = ctypes.CDLL(None, use_errno=True)


class Spec(TypedDict):
    """What `spawn` asks for; `mounts` are (source, target), targets below STAGE or existing.

    `network` is "" for that of the parent, "own" for one with nothing but a loopback, or the id of
    a process to join. Death signal 0 is none.
    """

    argv: list[str]
    parent: int
    death_signal: int
    uid: int | None
    gid: int | None
    mounts: list[tuple[str, str]]
    network: str


def _checked(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def _mount(source: str, target: str, kind: bytes | None, flags: int, data: bytes | None) -> None:
    arguments = (source.encode(), target.encode(), kind, flags, data)
    _checked(_libc.mount(*arguments), f"mount {target}")


def _private_mounts(mounts: list[tuple[str, str]]) -> None:
    """Show each source at its target, to this process and its children only."""
    _checked(_libc.unshare(_CLONE_NEWNS), "private mount namespace")
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE, None)
    # Opened before the stage hides what lies below it: a source may live there.
    sources = [os.open(source, os.O_PATH) for source, _ in mounts]
    _mount("tmpfs", str(STAGE), b"tmpfs", _MS_NOSUID | _MS_NODEV, b"mode=0755,size=64k")
    for descriptor, (source, target) in zip(sources, mounts, strict=True):
        if Path(source).is_dir():
            Path(target).mkdir(mode=0o755, parents=True, exist_ok=True)
        _mount(f"/proc/self/fd/{descriptor}", target, None, _MS_BIND, None)
        os.close(descriptor)


def _own_network() -> None:
    """An empty network with a loopback. Who may not make one alone makes it as its own user."""
    uid, gid = os.geteuid(), os.getegid()
    if _libc.unshare(_CLONE_NEWNET) != 0:
        _checked(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET), "private network namespace")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


def _join_network(pid: str) -> None:
    """Enter the network of another process of this user, which must be in one of its own."""
    if _namespace("self", "net") == _namespace(pid, "net"):
        raise OSError(f"process {pid} has no network of its own (yet)")
    for kind, flag in (("user", _CLONE_NEWUSER), ("net", _CLONE_NEWNET)):
        if _namespace("self", kind) != _namespace(pid, kind):
            with open(f"/proc/{pid}/ns/{kind}") as namespace:
                _checked(_libc.setns(namespace.fileno(), flag), f"join the {kind} namespace")


def _namespace(pid: str, kind: str) -> int:
    return os.stat(f"/proc/{pid}/ns/{kind}").st_ino


def _enter_namespaces(spec: Spec) -> None:
    """Raises OSError where the kernel refuses one."""
    if spec["mounts"]:
        _private_mounts(spec["mounts"])
    if spec["network"] == "own":
        _own_network()
    elif spec["network"]:
        _join_network(spec["network"])


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def main(text: str) -> None:
    """Never returns: becomes `argv`, or exits with a reason on stderr."""
    spec: Spec = json.loads(text)
    try:
        _enter_namespaces(spec)
    except OSError as refusal:
        sys.stderr.write(f"{refusal}\n")
        sys.exit(NAMESPACE_REFUSED)
    if spec["uid"] is not None and spec["gid"] is not None:
        _become(spec["uid"], spec["gid"])
    # After the last change of uid: the kernel forgets the death signal at each one.
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, spec["death_signal"], 0, 0, 0), "death signal")
    if os.getppid() != spec["parent"]:
        sys.exit(_PARENT_DIED)
    os.execv(spec["argv"][0], spec["argv"])  # noqa: S606 - exec without a shell is the point


if __name__ == "__main__":
    main(sys.argv[1])
