"""`hansard push`: what is packed, what is a version already, and what is told of git."""

import subprocess
from pathlib import Path

from tests.contract.command_line import Shell
from tests.contract.served_platform import a_model, a_name, an_executor


def commit(folder: Path) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@code.example")
    for arguments in (("init", "-q"), ("add", "-A"), (*who, "commit", "-q", "-m", "m")):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True)


async def test_a_dry_run_lists_what_would_be_packed_and_asks_no_server(shell: Shell) -> None:
    folder = a_model(shell.home / "m", a_name())
    commit(folder)
    (folder / "data").mkdir()
    (folder / "data" / "big.bin").write_bytes(b"x")
    offline = {"HANSARD_URL": "http://127.0.0.1:1", "HANSARD_TOKEN": "x"}
    listed = (await shell.ok("push", str(folder), "--dry-run", "--json", **offline)).document
    assert listed["files"].keys() == {"hansard.json", "pyproject.toml", "source.py"}
    assert listed["files"]["source.py"] == (folder / "source.py").stat().st_size
    assert (listed["kind"], listed["git"]["dirty"]) == ("model", False)
    shown = (await shell.ok("push", str(folder), "--dry-run", **offline)).out
    assert "source.py" in shown
    assert listed["digest"] in shown
    assert "big.bin" not in shown
    assert await shell.json("models", "list", "--filter", f"name == '{listed['name']}'") == []


async def test_what_was_a_version_before_is_not_published_again_unless_forced(
    shell: Shell,
) -> None:
    name = a_name()
    folder = a_model(shell.home / "m", name)
    first = await shell.json("push", str(folder))
    (folder / "more.py").write_text("x = 1\n")
    assert (await shell.json("push", str(folder)))["number"] == 2
    (folder / "more.py").unlink()
    again = await shell.json("push", str(folder))
    assert (again["number"], again["created"], again["id"]) == (1, False, first["id"])
    assert f"unchanged: model {name}:1" in (await shell.ok("push", str(folder))).out
    forced = await shell.json("push", str(folder), "--force", "--alias", "kept", "--tag", "a=b")
    assert (forced["number"], forced["created"], forced["tags"]) == (3, True, {"a": "b"})
    assert (await shell.json("models", "show", f"{name}@kept"))["version"]["number"] == 3


async def test_a_version_tells_of_its_commit_its_changes_and_its_readme(shell: Shell) -> None:
    name = a_name()
    folder = a_model(shell.home / "m", name)
    (folder / "README.md").write_text("# What it is for\n")
    commit(folder)
    (folder / "more.py").write_text("x = 1\n")
    (folder / "source.py").write_text((folder / "source.py").read_text() + "\nWIDTH = 9\n")
    await shell.ok("push", str(folder))
    version = (await shell.json("models", "show", name))["version"]
    git = version["origin_source"]["git"]
    assert (git["dirty"], git["untracked"]) == (True, ["more.py"])
    shown = (await shell.ok("models", "show", name)).out
    assert git["commit"] in shown
    assert "What it is for" in shown
    assert "WIDTH = 9" not in shown
    assert "+WIDTH = 9" in (await shell.ok("models", "show", name, "--diff")).out


async def test_code_without_git_has_no_diff_to_show(shell: Shell) -> None:
    name = a_name()
    await shell.ok("push", str(a_model(shell.home / "m", name)))
    ended = await shell("models", "show", f"{name}:1", "--diff")
    assert (ended.code, ended.out) == (1, "")
    assert "commit" in ended.err


async def test_a_folder_extends_a_version_by_name_and_runs_here_with_what_it_extends(
    shell: Shell,
) -> None:
    name, job = a_name(), a_name()
    below = await shell.json("push", str(a_model(shell.home / "m", name)))
    above = shell.home / "above"
    above.mkdir()
    (above / "extra.py").write_text("DEPTH = 2\n")
    (above / "pyproject.toml").write_text(f'[tool.hansard]\nbase = "model/{name}:1"\n')
    listed = (await shell.ok("push", str(above), "--dry-run", "--json")).document
    assert listed["files"].keys() == {"extra.py", "hansard.json", "pyproject.toml"}
    pushed = await shell.json("push", str(above))
    assert (pushed["name"], pushed["number"], pushed["parents"]) == (name, 2, [below["id"]])
    assert pushed["source"]["layers"] == [below["source"]["bundle"]]
    await shell.ok("push", str(an_executor(shell.home / "e", job)))
    for model in (str(above), f"{name}:2"):
        run = ("run", "--local", job, "--slot", f"model={model}", "-p", "model.width=3")
        ended = await shell.ok(*run, "--json")
        assert ended.document["exit_code"] == 0
    bundles = shell.home / "hansard-runs"
    assert len(list(bundles.rglob("extra.py"))) == len(list(bundles.rglob("source.py"))) / 2 == 2
