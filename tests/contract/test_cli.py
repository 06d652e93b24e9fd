"""The command line, as its users start it, against the real application."""

import asyncio
import os
import pty
import signal
import stat
import sys

import pytest

from tests.contract.command_line import COMMAND, Shell
from tests.contract.served_platform import a_model, a_name, an_executor


async def test_login_saves_the_token_for_the_user_only(shell: Shell) -> None:
    saved = shell.home / ".config" / "hansard" / "credentials.json"
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    wrong = await shell("login", shell.address.url, stdin="wrong\n")
    assert (wrong.code, wrong.out) == (1, "")
    assert wrong.err.splitlines()[-1].startswith("error: the server does not accept the token")


async def test_a_template_is_pushed_and_run_by_name_and_watched(shell: Shell) -> None:
    name = a_name()
    await shell.ok("push", str(a_model(shell.home / "m", name)))
    await shell.ok("push", str(an_executor(shell.home / "e", name)))
    asked = (
        *("run", name, "--slot", f"model={name}:1", "-p", "epochs=2", "-p", "model.width=4"),
        *("--keep", "model", "--experiment", name, "--json"),
    )
    run = (await shell.ok(*asked)).document
    assert run["parameters"] == {"epochs": 2}
    assert run["slots"]["model"]["parameters"] == {"width": 4}
    listed = (await shell.ok("runs", "list", "--experiment", name, "--json")).document
    assert [each["id"] for each in listed] == [run["id"]]

    watching = asyncio.create_task(shell("runs", "watch", run["id"]))
    await asyncio.sleep(2)
    await shell.ok("runs", "cancel", run["id"], "--reason", "seen enough")
    watched = await watching
    assert watched.code == 1
    assert "cancelled: seen enough" in watched.err


async def test_on_a_terminal_progress_is_drawn_and_an_interrupt_leaves_the_run_alone(
    shell: Shell,
) -> None:
    name = a_name()
    await shell.ok("push", str(a_model(shell.home / "m", name)))
    await shell.ok("push", str(an_executor(shell.home / "e", name)))
    run = (await shell.ok("run", name, "-s", f"model={name}", "--json")).document
    seen, terminal = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "runs", "watch", run["id"]),
        stdout=terminal,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": str(shell.home), "TERM": "xterm"},
    )
    os.close(terminal)
    drawn = b""
    async with asyncio.timeout(20):
        while b"requested" not in drawn:
            drawn += await asyncio.to_thread(os.read, seen, 1000)
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 20)
    os.close(seen)
    assert process.returncode == 130, err
    assert f"{run['id']} goes on".encode() in err
    after = (await shell.ok("runs", "show", run["id"], "--json")).document
    assert (after["status"], after["cancel_requested"]) == ("requested", False)


async def test_an_unchanged_folder_says_so(shell: Shell) -> None:
    folder = str(a_model(shell.home / "m", a_name()))
    assert (await shell.ok("push", folder, "--json")).document["created"] is True
    assert (await shell.ok("push", folder)).out.startswith("unchanged: model")


async def test_tables_name_every_entity(shell: Shell) -> None:
    name = a_name()
    await shell.ok("experiments", "create", name, "--description", "a table row")
    await shell.ok("experiments", "update", name, "--tag", "team=blue")
    table = (await shell.ok("experiments", "list")).out
    assert name in table
    assert "a table row" in table
    assert "team" in (await shell.ok("experiments", "show", name)).out


async def test_code_without_artifacts_cannot_be_downloaded(shell: Shell) -> None:
    name = a_name()
    await shell.ok("push", str(a_model(shell.home / "m", name)))
    ended = await shell("models", "download", name, str(shell.home / "out"))
    assert ended.code == 1
    assert "no run has kept a trained model" in ended.err.splitlines()[-1]
    assert not (shell.home / "out").exists()


@pytest.mark.parametrize("kind", ["executor", "model", "loader"])
async def test_a_new_template_passes_its_tests_and_can_be_pushed(shell: Shell, kind: str) -> None:
    name = a_name()
    folder = shell.home / kind
    await shell.ok("new", kind, name, "--folder", str(folder))
    own_tests = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
    )
    assert await own_tests.wait() == 0
    pushed = (await shell.ok("push", str(folder), "--json")).document
    assert (pushed["kind"], pushed["name"]) == (kind, name)


async def test_an_unknown_name_is_one_clear_line(shell: Shell) -> None:
    ended = await shell("runs", "show", "never was")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines()[-1] == "error: there is no run `never was`"


async def test_without_a_server_the_error_says_what_to_do(shell: Shell) -> None:
    ended = await shell("runs", "list", HANSARD_URL="http://127.0.0.1:1", HANSARD_TOKEN="x")
    assert ended.code == 1
    assert "hansard up" in ended.err.splitlines()[-1]
