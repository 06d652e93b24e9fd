"""Where code that is pushed comes from: what git says of the folder, and what was not committed.

Nothing of a file that is not packed is told, and no credentials of a remote.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hansard.formats.project import read_project
from hansard.formats.selection import Selection, selection
from hansard.formats.vendoring import package_folder

MAX_DIFF_BYTES = 128 * 1024
"""Of the diff as JSON: it is stored in the record, with the version."""
MAX_NAMES = 500
"""Of changed files that are shown, and of untracked ones that are named."""

_TIMEOUT_S = 10
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^@/]*@)?([^/?#]+[^?#]*).*", re.IGNORECASE)
_SHORT_REMOTE = re.compile(r"(?:[^@/:]*@)?([^@/:]+:[^/].*)")
_DIFF = ("diff", "--relative", "--no-ext-diff", "--no-textconv", "--no-color")
_CHANGED = (*_DIFF, "--name-only", "-z", "HEAD")
_UNTRACKED = ("ls-files", "--others", "--exclude-standard", "-z")
_QUIET = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false", "--no-pager")


def provenance(folder: Path) -> dict[str, Any] | None:
    """The state of a project and of the packages that are packed with it; None without git.

    Raises BundleError for settings that cannot be read.
    """
    project = read_project(folder)
    packages = [package_folder(folder, path) for path in project.vendored]
    room = MAX_DIFF_BYTES // (1 + len(packages))
    state = git_state(folder, selection(folder, project.include, project.exclude), room)
    found = {each.name: git_state(each, selection(each), room) for each in packages}
    told = {name: each for name, each in found.items() if each}
    return {**state, "packages": told} if state and told else state


def git_state(folder: Path, chosen: Selection, room: int = MAX_DIFF_BYTES) -> dict[str, Any] | None:
    """Commit, branch, remote and changes of the packed files of a folder; None without git.

    `diff` is against the commit, cut at a whole line where it is too long (`diff_cut`);
    `untracked` names files that no commit holds.
    """
    commit = _said(folder, "rev-parse", "--verify", "-q", "HEAD")
    if commit is None:
        return None  # no repository, no commit, or no git
    changed = [name for name in _names(folder, *_CHANGED) if chosen.takes(name)]
    untracked = [name for name in _names(folder, *_UNTRACKED) if chosen.takes(name)]
    diff, cut = _diff(folder, changed, room)
    state: dict[str, Any] = {
        "commit": commit,
        "branch": _said(folder, "symbolic-ref", "--short", "-q", "HEAD"),
        "remote": without_credentials(_said(folder, "config", "--get", "remote.origin.url") or ""),
        "dirty": bool(changed or untracked),
        "diff": diff,
        "diff_cut": cut,
        "untracked": untracked[:MAX_NAMES],
    }
    return {name: value for name, value in state.items() if value or name == "dirty"}


def without_credentials(remote: str) -> str | None:
    """Host and path of a remote; None for one that is a folder of this machine.

    >>> without_credentials("https://ada:secret@code.example/team/nets.git?token=x")
    'code.example/team/nets.git'
    >>> without_credentials("git@code.example:team/nets.git")
    'code.example:team/nets.git'
    """
    match = _REMOTE.fullmatch(remote) or _SHORT_REMOTE.fullmatch(remote)
    return match[1] if match and not remote.lower().startswith("file:") else None


def _diff(folder: Path, changed: Sequence[str], room: int) -> tuple[str, bool]:
    """The diff of changed files, and whether it was cut."""
    if not changed:
        return "", False
    paths = [f":(literal){name}" for name in changed[:MAX_NAMES]]
    text = (_said(folder, *_DIFF, "HEAD", "--", *paths) or "").replace("\0", "\ufffd")
    kept = text if _size(text) <= room else _shortened(text, room)
    return kept, kept != text or len(changed) > MAX_NAMES


def _shortened(text: str, room: int) -> str:
    """As many whole lines from the front as fit."""
    lines = text.splitlines(keepends=True)
    for end, line in enumerate(lines):
        room -= _size(line)
        if room < 0:
            return "".join(lines[:end])
    return text


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())


def _names(folder: Path, *arguments: str) -> Iterator[str]:
    """Names of files below the folder, relative to it."""
    found = _said(folder, *arguments, "--", ".") or ""
    return (name for name in found.split("\0") if name)


def _said(folder: Path, *arguments: str) -> str | None:
    """What a git command prints; None if it fails."""
    try:
        ended = subprocess.run(
            _command(folder, *arguments),
            capture_output=True,
            timeout=_TIMEOUT_S,
            env=_environment(),
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ended.stdout.decode(errors="replace").rstrip("\n")


def _command(folder: Path, *arguments: str) -> list[str]:
    return ["git", "-C", str(folder), *_QUIET, *arguments]


def _environment() -> dict[str, str]:
    """Ours, without what would point git at another repository or make it ask or write."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
