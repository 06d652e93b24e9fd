"""Whether `hansard up` still lives: what it started in the background must not outlive it."""

import os

VARIABLE = "HANSARD_SUPERVISOR"
"""`<pid>:<start time>` of the supervisor, inherited by all it starts; unset without one."""


def supervisor_mark(pid: int) -> str:
    """The value of the variable for a supervisor; means this very process, not a later one."""
    return f"{pid}:{_start_time(pid)}"


def supervisor_lives() -> bool:
    """True while the supervisor lives, and where there is none."""
    mark = os.environ.get(VARIABLE)
    return not mark or lives(mark)


def lives(mark: str) -> bool:
    """Whether the process that a mark was made for lives."""
    pid, _, started = mark.partition(":")
    return bool(started) and _start_time(int(pid)) == started


def _start_time(pid: int) -> str:
    """Clock ticks after boot at which a process began; empty when it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
