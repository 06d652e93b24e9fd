"""What a step uses, its processes and its folder: for limits that the kernel does not keep."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hansard.run_log import STEP_DIR_VARIABLE

_PAGE = os.sysconf("SC_PAGE_SIZE")
_BLOCK = 512
_KB = 1024
_ORPHANED = (0, 1)


@dataclass(frozen=True, slots=True)
class Process:
    """A line of the process table; ``memory`` in bytes counts what is shared as its own."""

    pid: int
    parent: int
    session: int
    threads: int
    memory: int


def processes_of(first: int, step: Path) -> list[Process]:
    """A step's first process, all that descend from it or are in its session, and its orphans."""
    table = {process.pid: process for process in _table()}
    found = {first}
    mine = [
        process
        for process in sorted(table.values(), key=lambda each: each.pid)
        if process.session == first or (process.parent in _ORPHANED and _marked(process.pid, step))
    ]
    found |= {process.pid for process in mine}
    grown = True
    while grown:
        below = {process.pid for process in table.values() if process.parent in found} - found
        found |= below
        grown = bool(below)
    return [table[pid] for pid in found if pid in table]


def memory_of(processes: list[Process]) -> int:
    """Bytes that processes use, what they share counted once between them."""
    return sum(_share(process) for process in processes)


def disk_of(folder: Path) -> int:
    """Bytes on disk below a folder; links are not followed."""
    return sum(_blocks(folder)) * _BLOCK


def _table() -> Iterator[Process]:
    with os.scandir("/proc") as entries:
        pids = [entry.name for entry in entries if entry.name.isdecimal()]
    for pid in pids:
        with suppress(OSError):
            # Behind the name in parentheses: state, parent, group, session, ...
            facts = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
            parent, session, threads, pages = (int(facts[at]) for at in (1, 3, 17, 21))
            yield Process(int(pid), parent, session, threads, pages * _PAGE)


def _marked(pid: int, step: Path) -> bool:
    mark = f"{STEP_DIR_VARIABLE}={step}".encode()
    with suppress(OSError):
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def _share(process: Process) -> int:
    """Its proportional share, where the kernel tells."""
    with suppress(OSError):
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            name, _, amount = line.partition(":")
            if name == "Pss":
                return int(amount.split()[0]) * _KB
    return process.memory


def _blocks(folder: Path) -> Iterator[int]:
    with suppress(OSError), os.scandir(folder) as entries:  # it may vanish while we look
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    yield from _blocks(Path(entry.path))
                else:
                    yield entry.stat(follow_symlinks=False).st_blocks
