"""What is told of the commit that code was pushed from, with real repositories."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from hansard.client.provenance import MAX_DIFF_BYTES, provenance, without_credentials


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@code.example")
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "nets"
    (root / "model").mkdir(parents=True)
    (root / "model" / "net.py").write_text("width = 8\n")
    (root / "model" / ".env").write_text("TOKEN=first\n")
    (root / "elsewhere.py").write_text("x = 1\n")
    git(tmp_path, "init", "-q", "-b", "trunk", str(root))
    git(root, "remote", "add", "origin", "https://ada:secret@code.example/team/nets.git")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "begin")
    return root / "model"


def told(folder: Path) -> dict[str, Any]:
    state = provenance(folder)
    assert state is not None
    return state


def test_a_clean_folder_tells_its_commit_branch_and_remote(folder: Path) -> None:
    (folder.parent / "elsewhere.py").write_text("x = 2\n")
    assert told(folder) == {
        "commit": git(folder, "rev-parse", "HEAD"),
        "branch": "trunk",
        "remote": "code.example/team/nets.git",
        "dirty": False,
    }


def test_changes_are_told_as_a_diff_that_can_be_applied(folder: Path) -> None:
    (folder / "net.py").write_text("width = 16\n")
    (folder / "new.py").write_text("secret = 1\n")
    state = told(folder)
    assert (state["dirty"], state["untracked"]) == (True, ["new.py"])
    assert "-width = 8\n+width = 16" in state["diff"]
    git(folder, "checkout", "-q", "net.py")
    patch = folder.parent / "patch"
    patch.write_text(state["diff"] + "\n")
    git(folder, "apply", "--directory=model", str(patch))
    assert (folder / "net.py").read_text() == "width = 16\n"


def test_nothing_is_told_of_files_that_are_not_packed(folder: Path) -> None:
    (folder / ".env").write_text("TOKEN=second\n")
    (folder / "secrets.yaml").write_text("key: 1\n")
    git(folder, "add", "secrets.yaml")
    (folder / ".hansardignore").write_text("secrets.yaml\n")
    (folder / ".other").write_text("hidden\n")
    assert told(folder)["dirty"] is False


def test_a_diff_that_is_too_long_is_cut_at_a_line_and_says_so(folder: Path) -> None:
    (folder / "net.py").write_text("".join(f"line = '{n:060}'\n" for n in range(5000)))
    state = told(folder)
    assert state["diff_cut"] is True
    assert MAX_DIFF_BYTES * 0.9 < len(state["diff"]) < MAX_DIFF_BYTES
    assert state["diff"].endswith("'\n")


def test_shared_packages_tell_of_their_own_repository(folder: Path, tmp_path: Path) -> None:
    common = tmp_path / "common"
    common.mkdir()
    (common / "__init__.py").write_text("")
    git(tmp_path, "init", "-q", str(common))
    git(common, "add", "-A")
    git(common, "commit", "-q", "-m", "begin")
    (common / "__init__.py").write_text("x = 1\n")
    (folder / "pyproject.toml").write_text('[tool.hansard]\npackages = ["../../common"]\n')
    package = told(folder)["packages"]["common"]
    assert package["commit"] == git(common, "rev-parse", "HEAD")
    assert "+x = 1" in package["diff"]


def test_programs_that_a_repository_configures_are_not_started(folder: Path) -> None:
    mark = folder.parent / "started"
    for key in ("core.fsmonitor", "diff.external", "core.pager"):
        git(folder, "config", key, f"touch {mark}")
    (folder / ".gitattributes").write_text("*.py diff=odd\n")
    git(folder, "config", "diff.odd.textconv", f"touch {mark}; cat")
    (folder / "net.py").write_text("width = 16\n")
    assert told(folder)["dirty"] is True
    assert not mark.exists()


def test_without_a_repository_or_a_commit_nothing_is_told(tmp_path: Path) -> None:
    assert provenance(tmp_path) is None
    git(tmp_path, "init", "-q")
    assert provenance(tmp_path) is None


@pytest.mark.parametrize(
    ("remote", "shown"),
    [
        ("ssh://git@code.example:2222/nets.git", "code.example:2222/nets.git"),
        ("https://token@code.example/nets", "code.example/nets"),
        ("https://code.example/nets?private_token=x#y", "code.example/nets"),
        ("code.example:nets.git", "code.example:nets.git"),
        ("/srv/git/nets.git", None),
        ("../nets", None),
        ("file:///srv/nets.git", None),
        ("", None),
    ],
)
def test_a_remote_is_told_without_credentials_and_never_as_a_local_folder(
    remote: str, shown: str | None
) -> None:
    assert without_credentials(remote) == shown
