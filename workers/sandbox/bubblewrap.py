"""Level `bubblewrap`: namespaces of its own, and of the node's files only what a step needs.

All namespaces are unshared, user ids too: inside the step is `nobody` without capabilities, and
what it starts dies with it. The system, the environment and the step's inputs are read-only.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from domain.sandbox import Level
from hansard.run_log import STEP_DIR_VARIABLE
from workers.sandbox.devices import gpu_arguments
from workers.sandbox.limited import Limited
from workers.sandbox.sandbox import Box, Command

PROGRAM = "bwrap"
NOBODY = 65534
_TMP_BYTES = 256 * 1024**2
"""Of `/tmp`, which takes memory; temporary files have a folder on disk."""
_PROBE_TIMEOUT_S = 20.0
_SIGNALLED = 128
_SIGTERM_ENDS = 143
"""The runner's own exit status of a step that was cancelled."""

_NAMESPACES = (
    *("--unshare-all", "--die-with-parent", "--hostname", "step", "--cap-drop", "ALL"),
    *("--uid", str(NOBODY), "--gid", str(NOBODY)),
)
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_SETTINGS = (
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d"),
    *("/etc/localtime", "/etc/mime.types", "/etc/fonts", "/etc/ssl", "/etc/ca-certificates"),
    *("/etc/pki", "/sys/devices/system"),
)
_NAMES = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/services")
"""What finding other machines by name needs."""
_KERNEL = tuple(
    f"/proc/{name}"
    for name in ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "tty", "mtrr")
)
"""Settings of the whole machine, which the kernel lets root change even without capabilities."""
_INPUTS = ("bundles", "weights", "data", "step.json")
_PEOPLE = f"nobody:x:{NOBODY}:{NOBODY}:nobody:/:/bin/false\n"
_HOSTS = "127.0.0.1 localhost step\n::1 localhost\n"


class Bubblewrap(Limited):
    """A step in a box made by bubblewrap. ``notes`` is where the node remembers that it works."""

    level = Level.BUBBLEWRAP
    cuts_network = True

    def __init__(self, notes: Path) -> None:
        self._notes = notes

    def problem(self) -> str | None:
        """Tried once for each boot of the node, since kernels and containers may forbid it."""
        program = shutil.which(PROGRAM)
        if program is None:
            return "bubblewrap is not installed"
        note = self._notes / f"bubblewrap-{_moment(program)}.json"
        with suppress(OSError, ValueError):
            return json.loads(note.read_text())["problem"]  # type: ignore[no-any-return]
        problem = _try(program)
        with suppress(OSError):
            note.parent.mkdir(parents=True, exist_ok=True)
            part = note.with_suffix(f".{os.getpid()}")
            part.write_text(json.dumps({"problem": problem}))
            part.rename(note)
        return problem

    @contextmanager
    def command(self, words: Sequence[str], box: Box) -> Iterator[Command]:
        """Variables go through a descriptor: arguments can be read by everybody on the node.

        Bubblewrap itself, which is outside of the box, starts without them: they are not ours.
        """
        program = shutil.which(PROGRAM)
        assert program is not None
        descriptor = os.memfd_create("box")
        try:
            os.write(descriptor, b"".join(os.fsencode(a) + b"\0" for a in _arguments(box)))
            os.lseek(descriptor, 0, os.SEEK_SET)
            ours = {STEP_DIR_VARIABLE: str(box.step)}
            outside = [program, "--args", str(descriptor), "--", *map(str, words)]
            yield Command(outside, ours, (descriptor,))
        finally:
            os.close(descriptor)

    def exit_code(self, code: int) -> int:
        """Bubblewrap tells the death of a step by signal N as 128 + N, as shells do."""
        return code if code <= _SIGNALLED or code == _SIGTERM_ENDS else _SIGNALLED - code


def _arguments(box: Box) -> list[str]:
    return [
        *_NAMESPACES,
        *(("--share-net",) if box.network else ()),
        *_system(box.network),
        *("--proc", "/proc", *_read_only(_KERNEL), "--dev", "/dev"),
        *gpu_arguments(box.gpus, box.variables),
        *("--size", str(box.bounds.limits.memory), "--tmpfs", "/dev/shm"),  # noqa: S108 - it is the box's own
        *("--size", str(_TMP_BYTES), "--tmpfs", "/tmp"),  # noqa: S108 - same
        *_own_files(box),
        *_read_only(_interpreter(box.python)),
        *("--bind", str(box.step), str(box.step)),
        *_read_only([box.step / name for name in _INPUTS]),
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *("--chdir", str(box.step), "--clearenv"),
        *(word for name, value in box.variables.items() for word in ("--setenv", name, value)),
    ]


def _system(network: bool) -> list[str]:
    found = []
    for path in _SYSTEM:
        if os.path.islink(path):
            found += ["--symlink", os.readlink(path), path]
        else:
            found += _read_only([path])
    return found + _read_only([*_SETTINGS, *(_NAMES if network else ())])


def _own_files(box: Box) -> list[str]:
    """Users and hosts: the box knows one of each."""
    files = {"passwd": _PEOPLE, "group": f"nogroup:x:{NOBODY}:\n"}
    if not box.network:
        files["hosts"] = _HOSTS
    arguments = []
    for name, text in files.items():
        (box.home / name).write_text(text)
        arguments += ["--ro-bind", str(box.home / name), f"/etc/{name}"]
    return arguments


def _interpreter(python: Path) -> list[Path]:
    """The environment, and what its python is a link to, where that lies outside of the system."""
    environment = python.parents[1]
    home = Path(_home(environment)).resolve()
    inside = any(home.is_relative_to(path) for path in _SYSTEM)
    return [environment] if inside else [home.parent, environment]


def _home(environment: Path) -> str:
    for line in (environment / "pyvenv.cfg").read_text().splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "home":
            return value.strip()
    raise FileNotFoundError("the environment does not say which python it is made of")


def _read_only(paths: Sequence[str | Path]) -> list[str]:
    return [word for path in paths for word in ("--ro-bind-try", str(path), str(path))]


def _try(program: str) -> str | None:
    """What goes wrong in an empty box, if anything."""
    kernel = ["--proc", "/proc", *_read_only(_KERNEL)]
    words = [program, *_NAMESPACES, *_system(False), *kernel, "--dev", "/dev"]
    try:
        done = subprocess.run(
            [*words, "--", "/bin/sh", "-c", "exit 0"],
            env={},
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"bubblewrap does not start: {type(error).__name__}"
    told = " ".join(done.stderr.split())[:200]
    return None if done.returncode == 0 else f"bubblewrap does not work here: {told}"


def _moment(program: str) -> str:
    """Changes with the program, the user and each start of the node."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}-{os.getuid()}-{os.stat(program).st_mtime_ns}"
